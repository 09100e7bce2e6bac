/**
 * Writes to a store until it kills itself: `node crash-child.ts DIRECTORY ROUND AFTER_MS`. Every change has a key of its own,
 * ROUND-POSITION. Prints JSON lines: what it found of each earlier round, then each durable position.
 */
import { writeSync } from "node:fs";
import { openSqliteStore } from "../../../src/adapters/store/sqlite-store.ts";

const [directory = "", round = "", afterMs = ""] = process.argv.slice(2);

/** Synchronous: what was reported before the kill has been printed before the kill. */
const print = (line: unknown): void => {
  writeSync(1, `${JSON.stringify(line)}\n`);
};

const OUTSTANDING = 500;
const filler = "x".repeat(200);
let position = 0;
let durable = 0;

function refill(): void {
  while (position < durable + OUTSTANDING) {
    // Groups of all sizes.
    const changes = Array.from({ length: 1 + (position % 7) }, () => {
      position += 1;
      return {
        position,
        table: "binding" as const,
        key: `${round}-${position}`,
        row: Buffer.from(`${position} ${filler}`),
      };
    });
    store.append(changes);
  }
}

const store = await openSqliteStore({
  directory,
  cluster: "alpha",
  node: "ha1",
  listener: {
    durable: (upTo) => {
      print({ durable: upTo });
      durable = upTo;
      refill();
    },
    failed: (_, reason) => {
      throw new Error(reason);
    },
    recovered: () => undefined,
  },
});

const found: Record<string, { count: number; highest: number }> = {};
for (const { key, row } of store.load()) {
  const [foundRound = "", foundPosition = ""] = key.split("-");
  if (!Buffer.from(`${foundPosition} ${filler}`).equals(row)) throw new Error(`the row of ${key} is another's`);
  const { count, highest } = found[foundRound] ?? { count: 0, highest: 0 };
  found[foundRound] = { count: count + 1, highest: Math.max(highest, Number(foundPosition)) };
}
print({ bootCount: store.bootCount, found });

setTimeout(() => process.kill(process.pid, "SIGKILL"), Number(afterMs));
refill();
