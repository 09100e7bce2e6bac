/**
 * A store on a disk that fails and mends, in a process whose disk that is: `node failing-disk-child.ts SCENARIO DIRECTORY`.
 * Prints one line of JSON, a FailingDiskResult.
 */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openSqliteStore } from "../../../src/adapters/store/sqlite-store.ts";
import type { Store } from "../../../src/adapters/store/store.ts";
import { StoreError } from "../../../src/adapters/store/store-error.ts";
import type { LoggedChange } from "../../../src/core/bindings/row-change.ts";

export interface FailingDiskResult {
  /** Several, if making its WAL shorter gave the store some room again. */
  readonly failures: readonly {
    readonly firstPosition: number;
    readonly reason: string;
    readonly durablePosition: number;
  }[];
  /** From `statistics()`, when an attempt to recover had failed. */
  readonly failureWhileRecovering: string | undefined;
  /** Keys found after it was closed and opened again: positions, from the lowest. */
  readonly positionsFound: readonly number[];
  readonly lastPosition: number;
}

type News =
  | { type: "durable"; position: number }
  | { type: "failed"; firstPosition: number; reason: string }
  | { type: "recovered" };

const [scenario = "", directory = ""] = process.argv.slice(2);
const storeDirectory = join(directory, "store");
const filler = Buffer.from("x".repeat(1_000));

let onNews: (news: News) => void = () => undefined;
const open = (): Promise<Store> =>
  openSqliteStore({
    directory: storeDirectory,
    cluster: "alpha",
    node: "ha1",
    listener: {
      durable: (position) => onNews({ type: "durable", position }),
      failed: (firstPosition, reason) => onNews({ type: "failed", firstPosition, reason }),
      recovered: () => onNews({ type: "recovered" }),
    },
  });

const news = (): Promise<News> => {
  const { promise, resolve } = Promise.withResolvers<News>();
  onNews = resolve;
  return promise;
};

/** How each disk is made to work again. */
const mend: Record<string, () => void> = {
  full: () => unlinkSync(join(directory, "ballast")),
  "file-size-limit": () => execFileSync("prlimit", ["--pid", String(process.pid), "--fsize=unlimited"]),
};

/** The failure, and how far it had come by then. */
async function writeUntilFailure(store: Store, durableBefore: number): Promise<FailingDiskResult["failures"][number]> {
  let durablePosition = durableBefore;
  let position = durableBefore;
  for (;;) {
    // Two groups at a time, so that one is behind the one that fails.
    for (let group = 0; group < 2; group += 1) {
      store.append(changes(position + 1, 100));
      position += 100;
      await Promise.resolve();
    }
    while (durablePosition < position) {
      const heard = await news();
      if (heard.type === "durable") durablePosition = heard.position;
      if (heard.type !== "failed") continue;
      store.append([{ position: position + 1, table: "binding", key: "appended after the failure", row: filler }]);
      return { firstPosition: heard.firstPosition, reason: heard.reason, durablePosition };
    }
  }
}

function changes(first: number, count: number): LoggedChange[] {
  return Array.from({ length: count }, (_, index) => {
    return { position: first + index, table: "binding", key: String(first + index), row: filler };
  });
}

/** True if an attempt has failed: an attempt starts two workers at most. */
async function staysFailed(recovered: Promise<News>): Promise<boolean> {
  const nextAttempt = (async () => {
    for (let worker = 1; worker <= 3; worker += 1) await once(process, "worker");
    return true;
  })();
  return Promise.race([nextAttempt, recovered.then(() => false)]);
}

async function writeOnFailingDisk(): Promise<FailingDiskResult> {
  if (scenario === "full") writeFileSync(join(directory, "ballast"), Buffer.alloc(64 << 20));
  let store = await open();
  const failures: FailingDiskResult["failures"][number][] = [];
  let durablePosition = 0;
  let recovered: Promise<News>;
  do {
    const failure = await writeUntilFailure(store, durablePosition);
    failures.push(failure);
    durablePosition = failure.durablePosition;
    recovered = news();
    store.recover();
  } while (!(await staysFailed(recovered)));

  const failureWhileRecovering = store.statistics().failure;
  mend[scenario]?.();
  const heard = await recovered;
  if (heard.type !== "recovered") throw new Error(`heard of "${heard.type}" while the store recovered`);

  const lastPosition = durablePosition + 1_000;
  store.append(changes(durablePosition + 1, 1_000));
  await store.close();
  store = await open();
  const positionsFound = Array.from(store.load(), ({ key }) => Number(key)).sort((a, b) => a - b);
  await store.close();
  return { failures, failureWhileRecovering, positionsFound, lastPosition };
}

async function openOnReadOnlyFileSystem(): Promise<{ code: string; message: string }> {
  await (await open()).close();
  execFileSync("mount", ["-o", "remount,bind,ro", directory]);
  try {
    await open();
  } catch (error) {
    if (error instanceof StoreError) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error("the store opened on a read-only file system");
}

const result = await (scenario === "read-only" ? openOnReadOnlyFileSystem() : writeOnFailingDisk());
process.stdout.write(`${JSON.stringify(result)}\n`);
