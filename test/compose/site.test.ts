/** Two sites of home agents in containers, one of which is lost. */
import { expect, test } from "vitest";
import { bgpPaths, drill, IN_TIME, withComposeLab } from "./harness.ts";

const ALL_MS = 240_000;

withComposeLab("two sites of containers", "two-sites", (lab) => {
  test("are routed to both, each by its own router", async () => {
    await expect
      .poll(() => bgpPaths(lab, "r2"), IN_TIME)
      .toEqual([expect.stringMatching(/^65001 6501[12]$/), expect.stringMatching(/^65003 6501[34]$/)]);
    await expect.poll(() => lab.nextHops("r2"), IN_TIME).toEqual(["10.1.1.1", "10.2.1.1"]);
    await expect.poll(() => lab.nextHops("r1"), IN_TIME).toEqual(["10.1.0.11", "10.1.0.12"]);
    await expect.poll(() => lab.nextHops("r3"), IN_TIME).toEqual(["10.2.0.13", "10.2.0.14"]);
  });

  test("when one is lost, the other serves every mobile and has all that was accepted", { timeout: ALL_MS }, async ({
    annotate,
  }) => {
    const { stdout, stderr, exitCode } = await drill(lab, "lose-site", "--rate", "200", "--mobiles", "300");
    await annotate(stdout);
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toMatch(/^lose-site .* passed$/m);
    await expect.poll(() => lab.nextHops("r2"), IN_TIME).toEqual(["10.1.1.1", "10.2.1.1"]);
  });
});
