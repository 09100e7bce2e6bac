/** Two sites of home agents in containers, one of which is lost. */
import { expect, test } from "vitest";
import { bgpPaths, drill, withComposeLab } from "./harness.ts";

const ALL_MS = 240_000;

withComposeLab("two sites of containers", "two-sites", (lab) => {
  test("are routed to both, each by its own router", async () => {
    expect(await bgpPaths(lab, "r2")).toEqual([
      expect.stringMatching(/^65001 6501[12]$/),
      expect.stringMatching(/^65003 6501[34]$/),
    ]);
    expect(await lab.nextHops("r2")).toEqual(["10.1.1.1", "10.2.1.1"]);
    expect(await lab.nextHops("r1")).toEqual(["10.1.0.11", "10.1.0.12"]);
    expect(await lab.nextHops("r3")).toEqual(["10.2.0.13", "10.2.0.14"]);
  });

  test("when one is lost, the other serves every mobile and has all that was accepted", { timeout: ALL_MS }, async ({
    annotate,
  }) => {
    const { stdout, stderr, exitCode } = await drill(lab, "lose-site", "--rate", "200", "--mobiles", "300");
    await annotate(stdout);
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toMatch(/^lose-site .* passed$/m);
    expect(await lab.nextHops("r2")).toEqual(["10.1.1.1", "10.2.1.1"]);
  });
});
