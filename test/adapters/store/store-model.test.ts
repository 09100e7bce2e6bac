import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { MemoryDisk, MemoryStore } from "../../../src/adapters/store/memory-store.ts";
import { STORE_TABLES, type StoreChange } from "../../../src/core/bindings/row-change.ts";
import { StoreReports, sorted } from "./store-fixture.ts";
import { StoreProcess } from "./store-process.ts";

type Step =
  | { readonly type: "append"; readonly changes: readonly StoreChange[] }
  | { readonly type: "settle" }
  | { readonly type: "crash" }
  | { readonly type: "close" };

const change: fc.Arbitrary<StoreChange> = fc.record({
  table: fc.constantFrom(...STORE_TABLES),
  key: fc.constantFrom("a", "b", "c", "d"),
  row: fc.option(
    fc.string({ maxLength: 5 }).map((text) => Buffer.from(text)),
    { freq: 4 },
  ),
});

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant("append" as const),
      changes: fc.array(change, { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("settle" as const) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("crash" as const) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("close" as const) }) },
);

/** The real store and the model of it side by side. */
class Pair {
  readonly #directory: string;
  readonly #disk = new MemoryDisk();
  #real: StoreProcess;
  #model: MemoryStore;
  #position = 0;
  #bootCount = 0;

  constructor(directory: string) {
    this.#directory = directory;
    this.#real = new StoreProcess(directory);
    this.#model = new MemoryStore(this.#disk, new StoreReports());
  }

  async untilOpen(): Promise<void> {
    await this.#real.untilOpen();
  }

  async take(step: Step): Promise<void> {
    if (step.type === "append") {
      const changes = step.changes.map((change) => ({ ...change, position: ++this.#position }));
      this.#real.append(changes);
      this.#model.append(changes);
    } else if (step.type === "settle") {
      await this.#real.untilDurable(this.#position);
    } else if (step.type === "crash") {
      await this.#real.kill();
      await this.reopen(this.#real.durablePosition);
    } else {
      await this.#real.close();
      await this.reopen(this.#position);
    }
  }

  /** What is found is what the model holds after some prefix of the changes: no shorter than what was durable. */
  async reopen(durable: number): Promise<void> {
    const appended = this.#position;
    this.#real = await new StoreProcess(this.#directory).untilOpen();
    const found = sorted(this.#real.opened?.rows ?? []);
    for (let position = 0; position < durable; position += 1) this.#model.commit(1);
    for (
      let position = durable;
      position < appended && String(sorted(this.#disk.rows())) !== String(found);
      position += 1
    ) {
      this.#model.commit(1);
    }
    expect(found).toEqual(sorted(this.#disk.rows()));
    this.#model.crash();
    this.#model = new MemoryStore(this.#disk, new StoreReports());
    const bootCount = this.#real.opened?.bootCount ?? 0;
    expect(bootCount).toBeGreaterThan(this.#bootCount);
    this.#bootCount = bootCount;
    this.#position = 0;
  }

  async end(): Promise<void> {
    await this.#real.close();
  }
}

test("after any sequence of appends, crashes and restarts the store holds what the model holds", {
  timeout: 240_000,
}, async () => {
  const directories = mkdtempSync(join(tmpdir(), "anyhome-store-model-"));
  let run = 0;
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 10 }), async (steps) => {
        run += 1;
        const pair = new Pair(join(directories, String(run)));
        await pair.untilOpen();
        for (const step of steps) await pair.take(step);
        await pair.take({ type: "close" });
        await pair.end();
      }),
      { numRuns: 10, interruptAfterTimeLimit: 180_000 },
    );
  } finally {
    rmSync(directories, { recursive: true, force: true });
  }
});
