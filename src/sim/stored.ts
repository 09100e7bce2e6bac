/**
 * What is on a simulated disk: tables, and the log of what has changed since they were last written, as in the real store.
 * Everything is kept the way it is written down, so that it can be damaged.
 */
import type { StoreChange, StoreTable } from "../core/bindings/row-change.ts";
import { isIntact, rowChecksum, Salvage, type StoredRecord } from "../core/bindings/stored-row.ts";

export class Stored {
  /** By where they belong, as "TABLE KEY". */
  readonly tables = new Map<string, StoredRecord>();
  /** What stood there before the last fold. */
  readonly former = new Map<string, StoredRecord>();
  log: StoredRecord[] = [];

  write(changes: readonly StoreChange[]): void {
    for (const { table, key, row } of changes)
      this.log.push({ table, key, row, checksum: rowChecksum(table, key, row) });
  }

  /** Moves the log into the tables. */
  fold(): void {
    for (const record of this.log.splice(0)) {
      const place = `${record.table} ${record.key}`;
      const before = this.tables.get(place);
      if (before !== undefined) this.former.set(place, before);
      if (record.row === null) this.tables.delete(place);
      else this.tables.set(place, record);
    }
  }

  /** The row that is found under this key, if it can be believed. */
  row(table: StoreTable, key: string): Uint8Array | undefined {
    const isOf = (record: StoredRecord) => record.table === table && record.key === key && isIntact(record);
    const change = this.log.findLast(isOf);
    const record = change ?? this.tables.get(`${table} ${key}`);
    return record !== undefined && isOf(record) ? (record.row ?? undefined) : undefined;
  }

  clear(): void {
    this.tables.clear();
    this.former.clear();
    this.log = [];
  }

  /** As a start does: what can be believed is all that is there from now on. */
  salvage(): { readonly rows: readonly (StoreChange & { readonly row: Uint8Array })[]; readonly leftOut: number } {
    const rows = new Map<string, StoreChange & { readonly row: Uint8Array }>();
    const salvage = new Salvage({
      get: (table, key) => rows.get(`${table} ${key}`)?.row,
      set: (table, key, row) => rows.set(`${table} ${key}`, { table, key, row }),
      delete: (table, key) => rows.delete(`${table} ${key}`),
    });
    for (const record of this.tables.values()) salvage.takeRow(record);
    for (const record of this.log) salvage.takeChange(record);
    this.clear();
    this.write([...rows.values()]);
    this.fold();
    return { rows: [...rows.values()], leftOut: salvage.leftOut };
  }
}
