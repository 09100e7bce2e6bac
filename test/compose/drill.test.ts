/** Drills on containers, as an operator runs them: with their limits trebled, as all containers share two processors. */
import { expect, test } from "vitest";
import { drill, withComposeLab } from "./harness.ts";

const NAMES = ["withdraw", "drain", "kill", "hang", "cut-link"];
/** Each breaks the lab, and waits until it is whole again. */
const ALL_MS = 400_000;

withComposeLab("`anyhome drill` on containers", "lab", (lab) => {
  test("what happens to a home agent has its consequences in time, and loses nothing", { timeout: ALL_MS }, async ({
    annotate,
  }) => {
    const { stdout, stderr, exitCode } = await drill(lab, ...NAMES, "--rate", "100", "--mobiles", "200");
    await annotate(stdout);
    expect(exitCode, stderr).toBe(0);
    for (const name of NAMES) expect(stdout).toMatch(new RegExp(`^${name} .* passed$`, "m"));
  });

  test("in a rolling upgrade nothing is lost, and nobody asks more than twice", { timeout: ALL_MS }, async ({
    annotate,
  }) => {
    const { stdout, stderr, exitCode } = await drill(lab, "upgrade", "--rate", "500", "--mobiles", "250");
    await annotate(stdout);
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toMatch(/^upgrade .* passed$/m);
    const images = await lab.docker.do(["ps", "--format", "{{.Names}} {{.Image}}"]);
    for (const name of ["ha1", "ha2", "ha3"]) {
      expect(images).toMatch(new RegExp(`[_-]${name}[_-]1 anyhome-lab/anyhome:upgrade$`, "m"));
    }
  });
});
