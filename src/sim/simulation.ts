/** One seeded run: a cluster, mobiles, faults, time to settle, and the verdict. */
import { Attacker } from "./attacker.ts";
import { Correspondents } from "./correspondents.ts";
import { DAMAGE_KINDS } from "./disk-damage.ts";
import { FAULT_KINDS, type Fault, type FaultKind, planFaults, schedule } from "./faults.ts";
import { check } from "./invariants.ts";
import { Mobiles } from "./mobiles.ts";
import { Monitor } from "./monitor.ts";
import { Orphans } from "./orphans.ts";
import { Random } from "./random.ts";
import { World, type WorldOptions } from "./world.ts";

export interface SimulationOptions extends WorldOptions {
  /** Those that keep their names. */
  readonly mobiles: number;
  /** Those that show an NAI late, change their address, or want one that others want (sim/names.ts). */
  readonly restless?: number;
  readonly faults?: readonly FaultKind[];
  /** How many faults strike together. What survives that is what `acknowledgements` promises. */
  readonly atOnce?: number;
  /** How long mobiles register and faults strike; simulated. */
  readonly durationMs?: number;
  /** How long nothing happens at the end, so that rows serve their time. */
  readonly quietMs?: number;
  /** Instead of what the seed draws. */
  readonly plan?: readonly Fault[];
}

export interface SimulationResult {
  readonly seed: number;
  readonly plan: readonly Fault[];
  readonly violations: readonly string[];
  readonly requests: number;
  readonly accepted: number;
  readonly counts: ReadonlyMap<string, number>;
}

const SETTLE_MS = 8_000;
/** After these, what one member alone knew may be gone. */
const LOSING: readonly FaultKind[] = ["wipe", ...DAMAGE_KINDS];

export function simulate(options: SimulationOptions): SimulationResult {
  const { seed, nodes, durationMs = 14_000, quietMs = 0, faults = FAULT_KINDS, atOnce = 1 } = options;
  const plan =
    options.plan ?? planFaults(new Random(seed ^ 0x5eed), { kinds: faults, nodes, untilMs: durationMs, atOnce });
  const world = new World({ ...options, acknowledgements: options.acknowledgements ?? atOnce });
  const mobiles = new Mobiles(world, options.mobiles, options.restless);
  const monitor = new Monitor(world, mobiles);
  const orphans = new Orphans(world, mobiles, plan);
  const attacker = new Attacker(world, new Random(seed ^ 0xbad));
  const correspondents = new Correspondents(world, mobiles, new Random(seed ^ 0xc0de));
  world.runFor(3000);
  mobiles.liveUntil(durationMs);
  for (const fault of plan) schedule(world, fault);
  const lastEndsMs = Math.max(durationMs, ...plan.map(({ atMs, lastsMs }) => atMs + lastsMs));
  world.runFor(lastEndsMs - world.queue.nowMs + SETTLE_MS);
  world.runFor(quietMs);
  const attempts = mobiles.mobiles.flatMap((mobile) => mobile.attempts);
  const lostDisks = plan.some(({ kind }) => LOSING.includes(kind));
  return {
    seed,
    plan,
    violations: [
      ...monitor.violations,
      ...orphans.violations,
      ...correspondents.violations,
      ...attacker.violations,
      ...mobiles.violations,
      ...check(world, mobiles, { lostDisks }),
    ],
    requests: attempts.length,
    accepted: attempts.filter(({ accepted }) => accepted !== undefined).length,
    counts: world.counts,
  };
}

/** The same run with as few faults as still break it. */
export function shrink(options: SimulationOptions, failed: SimulationResult): SimulationResult {
  let smallest = failed;
  for (let index = 0; index < smallest.plan.length; ) {
    const plan = smallest.plan.filter((_, place) => place !== index);
    const result = simulate({ ...options, plan });
    if (result.violations.length > 0) smallest = result;
    else index++;
  }
  return smallest;
}
