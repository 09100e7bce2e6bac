/**
 * Fuzzes every decoder for longer than the tests do. An input that crashes one is kept in `kept/`, where the tests
 * find it from then on.
 *
 *   node test/fuzz/run.ts --seconds 600 --seed 1
 */
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { hex } from "../core/wire/golden.ts";
import { fuzz } from "./fuzzer.ts";
import { targets } from "./targets.ts";

const { values } = parseArgs({ options: { seconds: { type: "string" }, seed: { type: "string" } } });
const seconds = Number(values.seconds ?? 60);
const seed = Number(values.seed ?? Date.now() % 1_000_000_007);
if (!(seconds > 0) || !Number.isInteger(seed)) {
  process.stderr.write("usage: run.ts [--seconds POSITIVE-NUMBER] [--seed INTEGER]\n");
  process.exit(2);
}

for (const target of targets) {
  const endMs = performance.now() + (seconds * 1000) / targets.length;
  let inputs = 0;
  const crash = fuzz(target, seed, (runs) => {
    inputs = runs;
    return performance.now() < endMs;
  });
  if (crash === undefined) {
    process.stdout.write(`${target.name}: ${inputs} inputs from seed ${seed}, no crash\n`);
    continue;
  }
  const digits = hex(crash.input);
  const name = `${target.name}-${createHash("sha256").update(crash.input).digest("hex").slice(0, 12)}.hex`;
  writeFileSync(new URL(`kept/${name}`, import.meta.url), `${digits}\n`);
  process.stderr.write(`${target.name}: crash from seed ${seed}, kept as ${name}\n`);
  process.stderr.write(`${crash.error instanceof Error ? crash.error.stack : crash.error}\n`);
  process.exitCode = 1;
}
