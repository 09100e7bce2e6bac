/** What the page on routing gives to copy: the routers themselves read it. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

const page = readFileSync(new URL("../../docs/routing.md", import.meta.url), "utf8");
const PATH = `${process.env.PATH}:/usr/sbin`;

/** Each reads a file, and starts nothing. */
const READERS = {
  frr: ["vtysh", "--dryrun", "--inputfile"],
  bird: ["bird", "-p", "-c"],
} as const;

for (const [language, [program, ...options]] of Object.entries(READERS)) {
  const isPresent = spawnSync("sh", ["-c", `command -v ${program}`], { env: { PATH } }).status === 0;

  test.skipIf(!isPresent && !process.env.CI)(`${program} takes the configuration`, () => {
    const text = new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "ms").exec(page)?.[1] ?? "";
    expect(text).toContain("10.1.0.11");
    expect(read(program, options, text)).toEqual({ status: 0, said: "" });
  });

  test.skipIf(!isPresent && !process.env.CI)(`${program} would not take what is wrong`, () => {
    expect(read(program, options, "no such words\n").status).not.toBe(0);
  });
}

function read(program: string, options: readonly string[], text: string) {
  const directory = mkdtempSync(join(tmpdir(), "anyhome-router-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "router.conf");
  writeFileSync(file, text);
  const { status, stdout, stderr } = spawnSync(program, [...options, file], { env: { PATH }, encoding: "utf8" });
  return { status, said: `${stdout}${stderr}`.trim() };
}
