// Compiles the data plane's programs for the kernel, where that has not been done since they were changed. By itself, as
// `node src/setup/bpf-programs.mjs FOLDER`, it puts them there, for the package.

import { existsSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { lastLines, run } from "./run.mjs";

const FOLDER = fileURLToPath(new URL("../adapters/dataplane/", import.meta.url));
const SOURCE = join(FOLDER, "tunnels.bpf.c");

/**
 * @param {string} [folder] where the programs go; beside their source, where they are looked for, unless given
 * @returns {Promise<string | undefined>} why they are not there, `undefined` when they are
 */
export async function ensureBpfPrograms(folder = FOLDER) {
  const object = join(folder, "tunnels.bpf.o");
  const sources = readdirSync(FOLDER).filter((name) => /\.bpf\.[ch]$/.test(name));
  const changedMs = Math.max(...sources.map((name) => statSync(join(FOLDER, name)).mtimeMs));
  if (existsSync(object) && statSync(object).mtimeMs > changedMs) return undefined;
  const { ok, output } = await run("clang", [
    ...["-O2", "-g", "-Wall", "-Werror", "-target", "bpf", "-mcpu=v3"],
    ...kernelHeaders().flatMap((path) => ["-I", path]),
    ...["-c", SOURCE, "-o", object],
  ]);
  return ok ? undefined : `the data plane's programs can't be compiled: ${lastLines(output, 15)}`;
}

/** Debian keeps those that differ from machine to machine apart, where a compiler for another target does not look. */
function kernelHeaders() {
  /** @type {Record<string, string>} */
  const machines = { x64: "x86_64", arm64: "aarch64" };
  const machine = machines[process.arch] ?? process.arch;
  const include = "/usr/include";
  const names = existsSync(include) ? readdirSync(include) : [];
  return names.filter((name) => name.startsWith(`${machine}-linux-`)).map((name) => join(include, name));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const obstacle = await ensureBpfPrograms(resolve(process.argv[2] ?? FOLDER));
  if (obstacle) {
    console.error(obstacle);
    process.exitCode = 1;
  }
}
