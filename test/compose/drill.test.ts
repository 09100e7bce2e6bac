/** Drills on containers, as an operator runs them: with their limits trebled, as all containers share two processors. */
import { execa } from "execa";
import { expect, test } from "vitest";
import { ANYHOME_MAIN } from "../../src/lab/place.ts";
import { withComposeLab } from "./harness.ts";

const NAMES = ["withdraw", "drain", "kill", "hang", "cut-link"];
/** Each breaks the lab, and waits until it is whole again. */
const ALL_MS = 400_000;

withComposeLab("`anyhome drill` on containers", "lab", (lab) => {
  test("what happens to a home agent has its consequences in time, and loses nothing", { timeout: ALL_MS }, async ({
    annotate,
  }) => {
    const words = ["drill", ...NAMES, "--name", lab.place.name, "--tolerance", "3", "--rate", "100"];
    const { stdout, stderr, exitCode } = await execa(process.execPath, [ANYHOME_MAIN, ...words, "--mobiles", "200"], {
      reject: false,
    });
    process.stderr.write(`${stdout}\n`);
    await annotate(stdout);
    expect(exitCode, stderr).toBe(0);
    for (const name of NAMES) expect(stdout).toMatch(new RegExp(`^${name} .* passed$`, "m"));
  });
});
