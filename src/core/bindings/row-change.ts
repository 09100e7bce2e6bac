/** What the core has written to disk, and any store takes: changes of rows, in order. */

/** The tables of the store: `binding` rows are whole bindings, `location` rows say where a mobile owned elsewhere is found. */
export const STORE_TABLES = ["binding", "location"] as const;
export type StoreTable = (typeof STORE_TABLES)[number];

/** One row change. The store does not look inside rows. */
export interface StoreChange {
  readonly table: StoreTable;
  readonly key: string;
  /** `null` deletes. */
  readonly row: Uint8Array | null;
}

/** A change with its place in the log: 1, 2, 3 ... without gaps over the lifetime of the process. */
export interface LoggedChange extends StoreChange {
  readonly position: number;
}
