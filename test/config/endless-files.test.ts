import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { ConfigDirectory, minimal } from "./config-directory.ts";

const ANYHOME = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const DEADLINE_MS = 20_000;

/** Configurations that name the file for each of its uses. */
const READERS: readonly (readonly [string, (file: string) => string])[] = [
  ["the secret", (file) => minimal.replace("cluster.secret", file)],
  ["a key", (file) => minimal.replace('key: "1234567812345678"', `key-file: ${file}`)],
  ["security associations", (file) => `${minimal}security-associations-file: ${file}\n`],
];

/** Checks in a process of its own, as a synchronous read of a pipe can't be interrupted. */
function check(file: string): string {
  const { stdout, stderr, signal } = spawnSync(process.execPath, [ANYHOME, "config", "check", "-c", file], {
    encoding: "utf8",
    timeout: DEADLINE_MS,
  });
  expect(signal, "config check has ended by itself").toBeNull();
  return stdout + stderr;
}

describe("only a regular file is read: nothing else ends for sure", () => {
  test.each([["the configuration", undefined] as const, ...READERS])(
    "%s in a pipe that nobody writes to",
    { timeout: DEADLINE_MS + 5_000 },
    (_what, yaml) => {
      using directory = new ConfigDirectory();
      const pipe = join(directory.path, "pipe");
      execFileSync("mkfifo", [pipe]);
      const file = yaml === undefined ? pipe : directory.write("anyhome.yaml", yaml(pipe));
      expect(check(file)).toContain(`cannot be read: ${pipe} is a pipe, not a regular file`);
    },
  );

  test.each(
    READERS.flatMap(([what, yaml]) => [
      [what, "/dev/zero", "a device", yaml] as const,
      [what, "/dev", "a directory", yaml] as const,
    ]),
  )("%s in %s", (_what, path, kind, yaml) => {
    using directory = new ConfigDirectory();
    expect(directory.problems(yaml(path))).toEqual([
      expect.stringMatching(new RegExp(`error: .*cannot be read: ${path} is ${kind}, not a regular file$`)),
    ]);
  });
});
