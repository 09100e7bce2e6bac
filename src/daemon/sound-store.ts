/**
 * The store of this member, whatever has happened to its files: a damaged one is made again from what can be believed of
 * it.
 */
import { canSalvage, salvageStore } from "../adapters/store/salvage.ts";
import { openSqliteStore, type SqliteStoreOptions } from "../adapters/store/sqlite-store.ts";
import type { Store } from "../adapters/store/store.ts";
import { StoreCorruptError } from "../adapters/store/store-error.ts";
import type { Counters } from "../adapters/telemetry/counters.ts";
import type { EventLog } from "../adapters/telemetry/log.ts";

/**
 * Opens the store, and hands it to `load`, which reads all of its rows. Where damage is found on the way, both is done once
 * more with what was salvaged.
 * @throws StoreError
 */
export async function openSoundStore<Loaded>(
  options: SqliteStoreOptions,
  load: (store: Store) => Loaded,
  { counters, log }: { readonly counters: Counters; readonly log: EventLog },
): Promise<{ readonly store: Store; readonly loaded: Loaded }> {
  try {
    return await open(options, load);
  } catch (error) {
    if (!(error instanceof StoreCorruptError) || !canSalvage(options.directory, error)) throw error;
    const { setAside, rows, leftOut, problems } = salvageStore(options);
    counters.add("rows-left-out", leftOut);
    log.event("store-salvaged", {
      problem: `${error.file}: ${error.problem}`,
      rows,
      leftOut,
      problems: problems.join("; "),
      setAside,
    });
    return await open(options, load);
  }
}

async function open<Loaded>(options: SqliteStoreOptions, load: (store: Store) => Loaded) {
  const store = await openSqliteStore(options);
  try {
    return { store, loaded: load(store) };
  } catch (error) {
    // Its workers would keep the process from ending.
    await store.close();
    throw error;
  }
}
