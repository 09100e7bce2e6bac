/** Each safety mechanism is switched off once, and the simulation must find out: a check that can't fail checks nothing. */
import { afterEach, expect, test, vi } from "vitest";
import type { FaultKind } from "../../src/sim/faults.ts";
import type { SimulationOptions } from "../../src/sim/simulation.ts";

interface Mutation {
  /** What is switched off. */
  readonly name: string;
  readonly faults: readonly FaultKind[];
  readonly options?: Partial<SimulationOptions>;
  /** Replaces a function that the core imports. */
  readonly mock?: () => void;
  /** What must be found. */
  readonly finds: RegExp;
}

const MUTATIONS: readonly Mutation[] = [
  {
    name: "the disk is waited for before anything is acknowledged",
    faults: ["power-cycle"],
    options: { lyingDisks: true },
    finds: /is lost|replaced by an older one/,
  },
  {
    name: "a backup is waited for before the reply",
    faults: ["wipe"],
    options: { acknowledgements: 0, copies: 0 },
    finds: /is lost/,
  },
  {
    name: "each member hands out home addresses of its own slice",
    faults: ["partition"],
    options: { sharedPool: true, mobiles: 40 },
    finds: /have the same home address/,
  },
  {
    name: "a higher generation wins",
    faults: ["kill", "pause", "partition"],
    mock: () =>
      vi.doMock("../../src/registration/merge.ts", async (original) => {
        const merge = await original<typeof import("../../src/registration/merge.ts")>();
        const mergeBindings: typeof merge.mergeBindings = (a, b) => {
          const { ownership } = a.ownership.owner > b.ownership.owner ? a : b;
          return { ...merge.mergeBindings(a, b), ownership };
        };
        return { ...merge, mergeBindings };
      }),
    finds: /copies differ|a copy where none belongs|doesn't have it/,
  },
  {
    name: "registrations are merged by what the mobile signed",
    faults: ["partition", "pause"],
    mock: () =>
      vi.doMock("../../src/registration/merge.ts", async (original) => {
        const merge = await original<typeof import("../../src/registration/merge.ts")>();
        return { ...merge, mergeBindings: (_: unknown, theirs: unknown) => theirs };
      }),
    finds: /is lost|older one|copies differ|lives on|replayed/,
  },
  {
    name: "tombstones are kept",
    faults: ["kill"],
    mock: () =>
      vi.doMock("../../src/registration/mobility-bindings.ts", async (original) => {
        const bindings = await original<typeof import("../../src/registration/mobility-bindings.ts")>();
        return { ...bindings, canForget: bindings.isTombstone, nextChangeMs: () => 0 };
      }),
    finds: /lives on|replayed request|identical requests got different/,
  },
  {
    name: "temporary bindings are replicated",
    faults: ["kill-ingress"],
    mock: () =>
      vi.doMock("../../src/replication/temporary-copies.ts", async (original) => {
        const copies = await original<typeof import("../../src/replication/temporary-copies.ts")>();
        class Keeping extends copies.TemporaryCopies {
          override made(): void {}
        }
        return { ...copies, TemporaryCopies: Keeping };
      }),
    finds: /died alone, and nobody answered/,
  },
  {
    name: "an Identification is accepted once",
    faults: [],
    mock: () =>
      vi.doMock("../../src/registration/replay-protection.ts", async (original) => {
        const protection = await original<typeof import("../../src/registration/replay-protection.ts")>();
        class Trusting extends protection.IdentificationRules {
          override isFresh(): boolean {
            return true;
          }
        }
        return { ...protection, IdentificationRules: Trusting };
      }),
    finds: /replayed request was accepted/,
  },
];

/** Runs until something is found; each mutation shows within far fewer. */
const MAXIMUM_SEEDS = 150;

afterEach(() => {
  vi.doUnmock("../../src/registration/merge.ts");
  vi.doUnmock("../../src/registration/mobility-bindings.ts");
  vi.doUnmock("../../src/registration/replay-protection.ts");
  vi.doUnmock("../../src/replication/temporary-copies.ts");
  vi.resetModules();
});

test.each(MUTATIONS)("is noticed when it no longer holds that $name", { timeout: 300_000 }, async (mutation) => {
  vi.resetModules();
  mutation.mock?.();
  const { simulate } = await import("../../src/sim/simulation.ts");
  for (let seed = 1; seed <= MAXIMUM_SEEDS; seed++) {
    const { violations } = simulate({ seed, nodes: 3, mobiles: 12, faults: mutation.faults, ...mutation.options });
    const found = violations.find((violation) => mutation.finds.test(violation));
    if (found === undefined) continue;
    process.stderr.write(`switched off that ${mutation.name}: caught by seed ${seed}: ${found}\n`);
    return;
  }
  expect.fail(`nothing was noticed in ${MAXIMUM_SEEDS} seeds`);
});
