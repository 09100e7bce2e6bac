/**
 * What the store does on this machine: `node test/bench/store.bench.ts [DIRECTORY] [ROWS]`, with the directory on the disk
 * to be measured (a temporary one by default, which may be memory) and the number of rows for loading (default 1,000,000).
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqliteStore } from "../../src/adapters/store/sqlite-store.ts";
import type { Store } from "../../src/adapters/store/store.ts";
import type { LoggedChange } from "../../src/core/bindings/row-change.ts";

const directory = mkdtempSync(join(process.argv[2] ?? tmpdir(), "anyhome-bench-"));
const rows = Number(process.argv[3] ?? 1_000_000);

let onDurable: (position: number) => void = () => undefined;
const open = (name: string): Promise<Store> =>
  openSqliteStore({
    directory: join(directory, name),
    cluster: "bench",
    node: "ha1",
    listener: {
      durable: (position) => onDurable(position),
      failed: (_, reason) => {
        throw new Error(reason);
      },
      recovered: () => undefined,
    },
  });

/** As long as the JSON of a binding with one care-of address. */
const filler = "x".repeat(500);

function change(position: number, keys: number): LoggedChange {
  const key = (position * 7_919) % keys;
  return {
    position,
    table: "binding",
    key: `nai:user${key}@example.net`,
    row: Buffer.from(`${position} ${filler}`),
  };
}

interface Load {
  readonly changes: number;
  /** At most so many wait for their acknowledgement; what is acknowledged is replaced at once. */
  readonly outstanding: number;
  /** At most so many are handed over per second. */
  readonly perSecond: number;
  readonly keys: number;
}

async function stream(store: Store, { changes: count, outstanding, perSecond, keys }: Load): Promise<void> {
  const sentMs = new Float64Array(count + 1);
  const delaysMs: number[] = [];
  let sent = 0;
  let durable = 0;
  const startMs = performance.now();
  await new Promise<void>((done) => {
    const send = (): void => {
      const nowMs = performance.now();
      const due = Math.min(count, durable + outstanding, Math.ceil(((nowMs - startMs) * perSecond) / 1_000));
      const changes: LoggedChange[] = [];
      while (sent < due) {
        sent += 1;
        sentMs[sent] = nowMs;
        changes.push(change(sent, keys));
      }
      store.append(changes);
    };
    const pacer = setInterval(send, 1);
    onDurable = (position) => {
      const nowMs = performance.now();
      for (let acknowledged = durable + 1; acknowledged <= position; acknowledged += 1) {
        delaysMs.push(nowMs - (sentMs[acknowledged] ?? nowMs));
      }
      durable = position;
      send();
      if (durable < count) return;
      clearInterval(pacer);
      done();
    };
    send();
  });
  const seconds = (performance.now() - startMs) / 1_000;
  const { commits, unfoldedChanges } = store.statistics();
  delaysMs.sort((a, b) => a - b);
  const at = (share: number): string => (delaysMs[Math.floor((delaysMs.length - 1) * share)] ?? 0).toFixed(1);
  process.stdout.write(
    `${Number.isFinite(perSecond) ? `${perSecond} changes/s offered` : `${outstanding} outstanding`}: ` +
      `${Math.round(count / seconds)} changes/s, ${(count / commits).toFixed(1)} per commit, acknowledged after ` +
      `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms; ${unfoldedChanges} unfolded at the end\n`,
  );
}

const loads: readonly Load[] = [
  { changes: 5_000, outstanding: 1, perSecond: Infinity, keys: 100_000 },
  { changes: 30_000, outstanding: 10, perSecond: Infinity, keys: 100_000 },
  { changes: 100_000, outstanding: 64, perSecond: Infinity, keys: 100_000 },
  { changes: 200_000, outstanding: 256, perSecond: Infinity, keys: 100_000 },
  { changes: 400_000, outstanding: 1_000, perSecond: Infinity, keys: 100_000 },
  { changes: 400_000, outstanding: 5_000, perSecond: Infinity, keys: 100_000 },
  { changes: 80_000, outstanding: 50_000, perSecond: 8_000, keys: 100_000 },
  { changes: 120_000, outstanding: 50_000, perSecond: 12_000, keys: 100_000 },
];

try {
  for (const [index, load] of loads.entries()) {
    const store = await open(`append-${index}`);
    await stream(store, load);
    await store.close();
  }

  process.stdout.write(`\nload: filling with ${rows} rows\n`);
  let store = await open("load");
  await stream(store, { changes: rows, outstanding: 5_000, perSecond: Infinity, keys: rows });
  await store.close();
  const sizeMb = Math.round(statSync(join(directory, "load/data/tables.sqlite")).size / 1e6);

  const openMs = performance.now();
  store = await open("load");
  const loadMs = performance.now();
  let loaded = 0;
  for (const { row } of store.load()) loaded += row.length > 0 ? 1 : 0;
  const endMs = performance.now();
  process.stdout.write(
    `${loaded} rows (${sizeMb} MB): opened and checked in ${Math.round(loadMs - openMs)} ms, read in ${Math.round(endMs - loadMs)} ms; ` +
      `${Math.round(process.memoryUsage.rss() / 1e6)} MB resident\n`,
  );
  await store.close();
} finally {
  rmSync(directory, { recursive: true, force: true });
}
