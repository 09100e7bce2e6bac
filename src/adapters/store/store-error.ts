/** What opening a store can end in. The codes are stable; the messages are for people. */
import { basename, dirname } from "node:path";

export type StoreErrorCode =
  /** Another process has the store open. */
  | "STORE_IN_USE"
  /** The store was made by another node or for another cluster. */
  | "STORE_FOREIGN"
  /** The store was written by a later version of this program. */
  | "STORE_SCHEMA_NEWER"
  /** A file of the store is damaged, lost, or older than the others. */
  | "STORE_CORRUPT"
  /** The disk, the file system or its permissions don't let the store be read or written. */
  | "STORE_UNAVAILABLE";

export class StoreError extends Error {
  override readonly name: string = "StoreError";
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The message ends with the commands that put the damaged files aside. */
export class StoreCorruptError extends StoreError {
  override readonly name: string = "StoreCorruptError";
  readonly file: string;
  readonly problem: string;

  constructor(file: string, problem: string) {
    super("STORE_CORRUPT", `the store is damaged: ${file}: ${problem}. ${wayToRecover(file)}`);
    this.file = file;
    this.problem = problem;
  }
}

function wayToRecover(file: string): string {
  // The two databases are of use only together, so their directory moves as a whole; the boot counter beside it stays.
  const aside = basename(file) === "boot.sqlite" ? file : dirname(file);
  return (
    `Nothing was repaired or removed. To recover from a backup, stop this home agent and put the whole directory ${dirname(file)} back. To go on ` +
    `without it, stop this home agent, run\n  mv ${shellWord(aside)} ${shellWord(`${aside}.corrupt-`)}"$(date +%s)"\nand start it again: ` +
    "it begins with an empty store, and holds again what its peers send it and what mobiles register"
  );
}

function shellWord(text: string): string {
  return /^[\w./@:+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A store error in a form that crosses from a worker thread. */
export type StoreErrorRecord =
  | { readonly code: Exclude<StoreErrorCode, "STORE_CORRUPT">; readonly message: string }
  | { readonly code: "STORE_CORRUPT"; readonly file: string; readonly problem: string };

export function toErrorRecord(error: StoreError): StoreErrorRecord {
  if (error instanceof StoreCorruptError) return { code: "STORE_CORRUPT", file: error.file, problem: error.problem };
  return { code: error.code as Exclude<StoreErrorCode, "STORE_CORRUPT">, message: error.message };
}

export function fromErrorRecord(record: StoreErrorRecord): StoreError {
  return record.code === "STORE_CORRUPT"
    ? new StoreCorruptError(record.file, record.problem)
    : new StoreError(record.code, record.message);
}
