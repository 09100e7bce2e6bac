import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { describe, expect, test, vi } from "vitest";
import { describeCluster } from "../../src/cli/top.ts";
import { watch } from "../../src/cli/watch.ts";
import { peers, routes, status } from "../adapters/api/fake-service.ts";
import { anyhomeIntoClosedPipe } from "./anyhome.ts";
import { type FakeDaemon, fakeDaemon } from "./fake-daemon.ts";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const ESCAPE = "\u001b";

const [self, other] = peers;
if (self === undefined || other === undefined) throw new Error("the fake service has two members");

describe("anyhome top", () => {
  test("shows on 80 columns who announces, health, load, replication and takeovers", () => {
    const replica = { state: "streaming", backlogRows: 3 } as const;
    const seen = {
      ...other,
      state: "alive",
      health: "draining",
      lastHeardMs: 120,
      load: { ownedBindings: 1_000_000, registrationsPerSecond: 12_000, eventLoopDelayMs: 31, storeQueue: 0 },
      replication: replica,
    } as const;
    const text = describeCluster({
      time: "2026-01-02T03:04:07.000Z",
      status,
      peers: [self, seen, { ...other, id: "ha3" }],
      routes,
    });
    expect(text).toMatchInlineSnapshot(`
      "ha1 of cluster lab, running for 1d 2h, at 2026-01-02T03:04:07.000Z
      10.64.0.0/12 announced by ha1 ha2
      10.64.0.1/32 announced by whom isn't known
      12 owned, 5 as backup, 5 as ingress, 1 temporary

      MEMBER  STATE    HEALTH    ROUTE  OWNED    REG/S    LOOP   REPLICATION  HEARD
      ha1     self     ready     ?      12       3.3      2 ms   -            -
      ha2     alive    draining  ?      1000000  12000.0  31 ms  streaming 3  120 ms
      ha3     unknown  -         ?      -        -        -      down 0       never

      Takeovers:  2026-01-02T03:04:06.000Z  40 bindings of ha3
      Alarms:     clock-skew: the clock of ha3 differs by 2.5 s"
    `);
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  test("doesn't say who has a route where routers don't tell", () => {
    const unknown = { ...routes, view: routes.view.map((it) => ({ ...it, announcers: null })) };
    const text = describeCluster({ time: "2026-01-02T03:04:07.000Z", status, peers: [self], routes: unknown });
    expect(text).toContain("10.64.0.0/12 announced by whom isn't known");
    expect(text).toMatch(/^ha1 +self +ready +\? /m);
  });
});

describe.concurrent.each([["top"], ["status", "--watch", "0.1"]])("anyhome %s", (...words) => {
  const args = words[0] === "top" ? ["top", "--interval", "0.1"] : words;

  test("piped, prints one text after the other without control characters, until it is interrupted", async () => {
    await using daemon = await fakeDaemon();
    const { output, exitCode } = await untilTwice(daemon, args, /cluster lab/g);
    expect(exitCode).toBe(0);
    expect(output).not.toContain(ESCAPE);
  });

  test("as JSON, prints a line for each look", async () => {
    await using daemon = await fakeDaemon();
    const { output } = await untilTwice(daemon, [...args, "-o", "json"], /^\{.*\}$/gm);
    const [first] = output.split("\n");
    expect(JSON.parse(first ?? "")).toEqual(
      args[0] === "top" ? { time: expect.any(String), status, peers, routes } : status,
    );
  });

  test("ends with a reader that has seen enough", async () => {
    await using daemon = await fakeDaemon();
    expect(await anyhomeIntoClosedPipe([...args, "--socket", daemon.socket])).toEqual({ exitCode: 0, stderr: "" });
  });
});

test("on a terminal, a text takes the place of the one before, cut to what fits", async () => {
  const written: string[] = [];
  const { isTTY, columns, rows } = process.stdout;
  const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    written.push(String(text));
    if (written.length === 2) process.emit("SIGINT");
    return true;
  });
  try {
    Object.assign(process.stdout, { isTTY: true, columns: 10, rows: 4 });
    const toText = (lines: readonly string[]) => lines.join("\n");
    const look = async () => ["0123456789abc", "second", "third", "fourth"];
    await watch({ intervalSeconds: 0.1, output: "table", look, toText });
  } finally {
    write.mockRestore();
    Object.assign(process.stdout, { isTTY, columns, rows });
  }
  const frame = `${ESCAPE}[H${ESCAPE}[J0123456789\nsecond\nthird`;
  expect(written).toEqual([frame, frame]);
});

test("a daemon that isn't there is told of, and waited for", async () => {
  const child = start(["status", "--watch", "0.1", "--socket", "/nonexistent/control.sock"]);
  let said = "";
  child.stderr?.on("data", (chunk) => {
    said += chunk;
    if ((said.match(/can't reach the daemon/g)?.length ?? 0) >= 2) child.kill("SIGINT");
  });
  expect(await once(child, "close")).toEqual([0, null]);
});

function start(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [MAIN, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env.PATH },
  });
}

/** Runs it until something was printed twice, then interrupts it. */
async function untilTwice(
  daemon: FakeDaemon,
  args: readonly string[],
  pattern: RegExp,
): Promise<{ output: string; exitCode: number | null }> {
  const child = start([...args, "--socket", daemon.socket]);
  let output = "";
  child.stdout?.on("data", (chunk) => {
    output += chunk;
    if ((output.match(pattern)?.length ?? 0) >= 2) child.kill("SIGINT");
  });
  const [exitCode] = await once(child, "close");
  return { output, exitCode };
}
