/** The sources with one mechanism switched off, run in the simulator by a process of their own. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { execa } from "execa";
import type { SimulationOptions } from "../../src/sim/simulation.ts";

/** A change of one source, whose text must occur there exactly once. */
export interface Edit {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export interface Catch {
  readonly seed: number;
  readonly violation: string;
}

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Runs seeds until one finds something that matches. */
const HUNT = `
  const [simulation, first, seeds, options, finds] = JSON.parse(process.argv[1]);
  const { simulate } = await import(simulation);
  for (let seed = first; seed < first + seeds; seed++) {
    const { violations } = simulate({ ...options, seed });
    const violation = violations.find((found) => new RegExp(finds).test(found));
    if (violation === undefined) continue;
    console.log(JSON.stringify({ seed, violation }));
    break;
  }
`;

export async function hunt(
  edits: readonly Edit[],
  options: Omit<SimulationOptions, "seed">,
  { first, seeds, finds }: { readonly first: number; readonly seeds: number; readonly finds: RegExp },
): Promise<Catch | undefined> {
  const directory = mkdtempSync(join(tmpdir(), "anyhome-mutant-"));
  try {
    cpSync(join(root, "src"), join(directory, "src"), { recursive: true });
    cpSync(join(root, "package.json"), join(directory, "package.json"));
    symlinkSync(join(root, "node_modules"), join(directory, "node_modules"));
    for (const edit of edits) apply(join(directory, "src"), edit);
    const simulation = pathToFileURL(join(directory, "src/sim/simulation.ts")).href;
    const order = JSON.stringify([simulation, first, seeds, options, finds.source]);
    const { stdout } = await execa(process.execPath, ["--input-type=module", "--eval", HUNT, order], {
      cwd: directory,
    });
    return stdout === "" ? undefined : JSON.parse(stdout);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function apply(sources: string, { file, from, to }: Edit): void {
  const path = join(sources, file);
  const parts = readFileSync(path, "utf8").split(from);
  if (parts.length !== 2) throw new Error(`"${from}" occurs ${parts.length - 1} times in ${file}`);
  writeFileSync(path, parts.join(to));
}
