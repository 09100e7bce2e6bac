/** Rows of a table in a database that is damaged: SQLite ends a scan at the first page that it can't read; this goes on behind it. */
import Database from "better-sqlite3";
import type { SqliteDatabase } from "./database.ts";

/** Of SQLite. */
const MAXIMUM_ROWID = Number.MAX_SAFE_INTEGER;

/** `select` has the number of a row as its first column, takes the lowest wanted one as a parameter, and is in the order of numbers. */
export function* readableRows<Row extends { readonly number: number }>(
  database: SqliteDatabase,
  select: string,
  unreadable: (problem: string) => void,
): Generator<Row> {
  const statement = tolerating(() => database.prepare<[number], Row>(select), unreadable);
  for (let next = 1; statement !== undefined && next <= MAXIMUM_ROWID; ) {
    const problem = yield* readFrom(statement, next, (number) => {
      next = Math.max(next, number + 1);
    });
    if (problem === undefined) return;
    unreadable(problem);
    next = firstReadable(statement, next);
  }
}

/** Returns what ended the scan; `undefined`: the end of the table. */
function* readFrom<Row extends { readonly number: number }>(
  statement: Database.Statement<[number], Row>,
  from: number,
  read: (number: number) => void,
): Generator<Row, string | undefined> {
  const rows = statement.iterate(from);
  for (;;) {
    let problem: string | undefined;
    const row = tolerating(
      () => rows.next(),
      (found) => {
        problem = found;
      },
    );
    if (row === undefined) return problem;
    if (row.done) return undefined;
    read(row.value.number);
    yield row.value;
  }
}

/** The first number behind a page that can't be read, beyond all numbers if there is none: a gallop, and then bisection. */
function firstReadable(statement: Database.Statement<[number], unknown>, bad: number): number {
  const canRead = (from: number) =>
    tolerating(
      () => ({ row: statement.get(from) }),
      () => undefined,
    ) !== undefined;
  let [low, step] = [bad, 1];
  while (low + step <= MAXIMUM_ROWID && !canRead(low + step)) step *= 2;
  if (low + step > MAXIMUM_ROWID) return Number.POSITIVE_INFINITY;
  let high = low + step;
  low += Math.floor(step / 2);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (canRead(middle)) high = middle;
    else low = middle;
  }
  return high;
}

/** `undefined` where the database is damaged; whatever else goes wrong is thrown. */
function tolerating<T>(action: () => T, damaged: (problem: string) => void): T | undefined {
  try {
    return action();
  } catch (error) {
    // A table that isn't there is what is left of a damaged schema.
    const isDamage = error instanceof Database.SqliteError && /^SQLITE_(CORRUPT|NOTADB|ERROR$)/.test(error.code);
    if (!isDamage) throw error;
    damaged(error.message);
    return undefined;
  }
}
