/** Rows of stores of version 1, which were JSON. */
import { rowFromReadable } from "../../core/bindings/readable-row.ts";
import { STORE_TABLES } from "../../core/bindings/row-change.ts";
import { rowChecksum, type StoredRecord } from "../../core/bindings/stored-row.ts";

/**
 * For migrations: what a row of version 1 is since version 2. What can't be read stays the text that it was, so that the start
 * tells of it instead of a migration that fails.
 */
export function rowInBytes(table: string, json: string | null): Uint8Array | null {
  if (json === null) return null;
  try {
    const storeTable = STORE_TABLES.find((name) => name === table);
    if (storeTable !== undefined) return rowFromReadable(storeTable, readableOf(JSON.parse(json)));
  } catch {
    // As below.
  }
  return Buffer.from(json);
}

/** A record of either version. One that has been altered stays altered. */
export function recordInBytes({ row, ...record }: Omit<StoredRecord, "row"> & WithRow): StoredRecord {
  if (typeof row !== "string") return { ...record, row };
  const { table, key, checksum } = record;
  if (rowChecksum(table, key, row) !== checksum) return { ...record, row: Buffer.from(row) };
  const bytes = rowInBytes(table, row);
  return { ...record, row: bytes, checksum: rowChecksum(table, key, bytes) };
}

interface WithRow {
  /** Text in a store of version 1. */
  readonly row: Uint8Array | string | null;
}

interface Row {
  readonly ingress?: { readonly foreignAgent?: { readonly address?: string; readonly port?: number } };
}

/** The foreign agent of a location was an object. */
function readableOf(row: Row): unknown {
  const { address, port } = row.ingress?.foreignAgent ?? {};
  if (address === undefined) return row;
  return { ...row, ingress: { ...row.ingress, foreignAgent: `${address}:${port}` } };
}
