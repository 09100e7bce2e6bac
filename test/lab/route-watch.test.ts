/** The kernel's routes, watched while they change. */
import { execa } from "execa";
import { expect, test } from "vitest";
import { RouteWatch } from "../../src/lab/drill/route-watch.ts";
import { enter } from "../../src/lab/namespaces/namespace.ts";
import { newLabName, waitFor, whereLabsRun } from "./harness.ts";

const NETWORK = "10.64.0.0/12";
const NEXT_HOP = "192.0.2.1";
/** Runs a command as a machine does that has much else to do. */
const SLOWLY = ["sh", "-c", 'sleep 0.5; exec "$@"', "sh"];

whereLabsRun("a watch of routes", () => {
  test("misses nothing that happens as soon as it is there", async () => {
    const namespace = `anyhome-${newLabName()}-r1`;
    const ip = (...words: string[]) => execa("ip", ["-n", namespace, ...words]);
    await execa("ip", ["netns", "add", namespace]);
    try {
      await ip("link", "set", "lo", "up");
      await ip("route", "add", NETWORK, "via", NEXT_HOP, "dev", "lo", "onlink");
      const since = Date.now();
      const watch = await RouteWatch.start([...SLOWLY, ...enter(namespace, [])], NETWORK);
      await ip("route", "delete", NETWORK);
      try {
        const gone = await waitFor(() => watch.goneAt(NEXT_HOP, since), { deadlineMs: 5000, what: "the change" });
        expect(gone).toBeGreaterThanOrEqual(since);
      } finally {
        watch.stop();
      }
    } finally {
      await execa("ip", ["netns", "delete", namespace]);
    }
  });
});
