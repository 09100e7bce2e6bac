/** Stores whose files are really damaged: what can be believed goes on, the rest is left out and told, and nothing is destroyed. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, describe, expect, test } from "vitest";
import { LogFile } from "../../../src/adapters/store/log-file.ts";
import { canSalvage, salvageStore } from "../../../src/adapters/store/salvage.ts";
import { StoreCorruptError, StoreError } from "../../../src/adapters/store/store-error.ts";
import { decodeBindingRow, encodeBindingRow } from "../../../src/core/bindings/binding-row.ts";
import type { LoggedChange } from "../../../src/core/bindings/row-change.ts";
import { rowChecksum } from "../../../src/core/bindings/stored-row.ts";
import { ipv4 } from "../../../src/core/wire/ipv4.ts";
import { hex } from "../../core/wire/golden.ts";
import { fillStore, openStore, overwrite, temporaryDirectory } from "./store-fixture.ts";

const OWNER = { cluster: "alpha", node: "ha1" };
const ROWS = 2_000;
const LOGGED = 100;
const PAGE = 2_048;
/** At the most. */
const ROWS_IN_A_PAGE = 20;

/** Made once, and copied: opening a store takes two threads. */
const template = mkdtempSync(join(tmpdir(), "anyhome-salvage-"));
afterAll(() => rmSync(template, { recursive: true }));
let templates: Promise<void> | undefined;

async function makeTemplates(): Promise<void> {
  const closed = join(template, "closed");
  await fillStore(closed, changes(1, ROWS));
  // As a process leaves it that is killed: nothing has been folded, and what was committed last is in the WAL.
  const running = join(template, "running");
  cpSync(closed, running, { recursive: true });
  rmSync(join(running, "data/closed"));
  const log = new LogFile({
    path: logOf(join(running, "data")),
    files: [],
    bootCount: undefined,
    durableSequence: undefined,
  });
  for (let number = 1; number <= LOGGED; number++) log.append(["binding", `ip:${addressOf(number)}`, rowOf(number, 2)]);
  cpSync(running, join(template, "killed"), { recursive: true });
  log.close();
}

async function copyOf(name: "closed" | "killed"): Promise<string> {
  templates ??= makeTemplates();
  await templates;
  const directory = join(temporaryDirectory(), "store");
  cpSync(join(template, name), directory, { recursive: true });
  return directory;
}

/** Its rows are in the tables, its log is empty. */
const closedStore = () => copyOf("closed");
/** The newest versions of the first rows are in the log's WAL and nowhere else, each in a commit of its own. */
const killedStore = () => copyOf("killed");

const tablesOf = (data: string) => join(data, "tables.sqlite");
const logOf = (data: string) => join(data, "log.sqlite");

describe("of a damaged store everything that reads back as it was written is there after the salvage", () => {
  test.each<{
    readonly title: string;
    readonly make?: () => Promise<string>;
    readonly damage: (data: string) => void;
    /** How many rows may be gone, or (`older`) be there as they were before the log. */
    readonly gone?: { readonly least: number; readonly most: number };
    readonly older?: { readonly least: number; readonly most: number };
    readonly problem: RegExp;
  }>([
    {
      title: "a flipped bit in a row",
      damage: (data) => flipCounter(tablesOf(data), 1234),
      gone: { least: 1, most: 1 },
      problem: /^the binding row "ip:10\.64\.4\.210" does not read back as it was written$/,
    },
    {
      title: "two rows in each other's places",
      damage: (data) =>
        sql(
          tablesOf(data),
          `CREATE TEMP TABLE swapped AS SELECT rowid AS place, row, checksum FROM binding WHERE rowid IN (7, 8);
           UPDATE binding SET (row, checksum) = (SELECT row, checksum FROM swapped WHERE place = 15 - binding.rowid)
           WHERE rowid IN (7, 8)`,
        ),
      gone: { least: 2, most: 2 },
      problem: /does not read back as it was written/,
    },
    {
      title: "a page in the middle of the tables overwritten with garbage",
      damage: (data) => overwritePage(tablesOf(data), 1234, Buffer.alloc(PAGE, 0xa5)),
      gone: { least: 1, most: ROWS_IN_A_PAGE },
      problem: /tables\.sqlite: .*malformed/,
    },
    {
      title: "a page of the tables in the place of another",
      damage: (data) => overwritePage(tablesOf(data), 1234, pageOf(tablesOf(data), 321)),
      gone: { least: 1, most: ROWS_IN_A_PAGE },
      problem: /is there twice|malformed/,
    },
    {
      title: "the tables cut in the middle",
      damage: (data) => truncateSync(tablesOf(data), Math.floor(readFileSync(tablesOf(data)).length / PAGE / 2) * PAGE),
      gone: { least: ROWS / 10, most: ROWS },
      problem: /tables\.sqlite: .*malformed/,
    },
    {
      title: "the tables lost",
      make: killedStore,
      damage: (data) => rmSync(tablesOf(data)),
      gone: { least: ROWS - LOGGED, most: ROWS - LOGGED },
      problem: /tables\.sqlite: the file is missing/,
    },
    {
      title: "tables that say of nobody that they are theirs",
      damage: (data) => sql(tablesOf(data), "DELETE FROM meta"),
      gone: { least: ROWS, most: ROWS },
      problem: /does not say which store it belongs to/,
    },
    {
      title: "the log lost, with its WAL",
      make: killedStore,
      damage: (data) => {
        for (const suffix of ["", "-wal", "-shm"]) rmSync(`${logOf(data)}${suffix}`, { force: true });
      },
      older: { least: LOGGED, most: LOGGED },
      problem: /log\.sqlite: the file is missing/,
    },
    {
      title: "a page in the middle of the log's WAL overwritten",
      make: killedStore,
      damage: (data) =>
        overwrite(`${logOf(data)}-wal`, readFileSync(`${logOf(data)}-wal`).length / 2, Buffer.alloc(PAGE, 0xa5)),
      older: { least: 1, most: LOGGED - 1 },
      problem: /it is damaged at byte \d+, and later changes can't be read/,
    },
    {
      title: "a flipped bit in a change of the log",
      make: killedStore,
      damage: (data) =>
        sql(
          logOf(data),
          `UPDATE log SET row = (SELECT row FROM log WHERE sequence = ${ROWS + 51}) WHERE sequence = ${ROWS + 50}`,
        ),
      older: { least: 1, most: 1 },
      problem: /^the binding row "ip:10\.64\.0\.50" does not read back as it was written$/,
    },
    {
      title: "changes missing in the middle of the log",
      make: killedStore,
      damage: (data) => sql(logOf(data), `DELETE FROM log WHERE sequence BETWEEN ${ROWS + 20} AND ${ROWS + 29}`),
      older: { least: 10, most: 10 },
      problem: new RegExp(`the changes from sequence ${ROWS + 20} to ${ROWS + 29} are missing`),
    },
  ])("$title", async ({ make = closedStore, damage, gone = NONE, older = NONE, problem }) => {
    const directory = await make();
    const data = join(directory, "data");
    damage(data);
    keepWal(data);
    const before = readdirSync(data).map((name) => [name, readFileSync(join(data, name)).length]);

    const refused = await damageOf(directory);
    const report = salvageStore({ directory, ...OWNER });
    expect([refused.problem, ...report.problems]).toContainEqual(expect.stringMatching(problem));
    expect(report.leftOut).toBeGreaterThanOrEqual(report.problems.length);
    const rows = await loadAll(directory);
    expect(rows.size).toBe(report.rows);
    expectBetween(ROWS - rows.size, gone);
    // Whatever is there is as it was written once.
    const written = make === killedStore ? LOGGED : 0;
    const counters = [...rows].map(([number, row]) => {
      const counter = [1, 2].find((version) => row === hex(rowOf(number, version)));
      expect(counter).toBeDefined();
      return number <= written && counter === 1;
    });
    expectBetween(counters.filter((isOlder) => isOlder).length, older);

    const kept = readdirSync(report.setAside);
    for (const [name] of before) if (!String(name).endsWith("-shm")) expect(kept).toContain(name);
  });
});

test("a log that ends early looks like one that has not gone further: it is sound, and older; peers have the rest", async () => {
  const directory = await killedStore();
  const wal = `${logOf(join(directory, "data"))}-wal`;
  truncateSync(wal, Math.floor(readFileSync(wal).length / 2));
  const rows = await loadAll(directory);
  const older = [...rows].filter(([number, row]) => number <= LOGGED && row === hex(rowOf(number, 1)));
  expect(rows.size).toBe(ROWS);
  expectBetween(older.length, { least: 1, most: LOGGED - 1 });
});

describe("a salvaged store", () => {
  test("is sound: it takes changes, and is the same after the next start", async () => {
    const directory = await closedStore();
    flipCounter(tablesOf(join(directory, "data")), 1234);
    salvageStore({ directory, ...OWNER });
    const { store, reports } = await openStore(directory);
    store.append(changes(1234, 1, 2).map((change) => ({ ...change, position: 1 })));
    await reports.untilDurable(1);
    await store.close();
    const rows = await loadAll(directory);
    expect(rows.size).toBe(ROWS);
    expect(rows.get(1234)).toBe(hex(rowOf(1234, 2)));
  });

  test("counts its starts on", async () => {
    const directory = await closedStore();
    const { store } = await openStore(directory);
    await store.close();
    rmSync(tablesOf(join(directory, "data")));
    salvageStore({ directory, ...OWNER });
    const after = await openStore(directory);
    expect(after.store.bootCount).toBeGreaterThan(store.bootCount);
  });

  test("is not made of a row that the program can't understand, though it reads back as it was written", async () => {
    const directory = await closedStore();
    sql(
      tablesOf(join(directory, "data")),
      `UPDATE binding SET row = x'7b7d', checksum = ${rowChecksum("binding", "ip:10.64.0.7", "{}")} WHERE key = 'ip:10.64.0.7'`,
    );
    const report = salvageStore({ directory, ...OWNER });
    expect(report).toMatchObject({ rows: ROWS - 1, leftOut: 1 });
    expect(report.problems).toEqual([`the binding row "ip:10.64.0.7" can't be understood`]);
  });

  test("is there even if power is lost between the two steps of its taking place", async () => {
    const directory = await closedStore();
    renameSync(join(directory, "data"), join(directory, "salvaged"));
    expect((await loadAll(directory)).size).toBe(ROWS);
    // And if it was lost before them, what was being made is of no use.
    mkdirSync(join(directory, "salvaged"));
    expect((await loadAll(directory)).size).toBe(ROWS);
    expect(existsSync(join(directory, "salvaged"))).toBe(false);
  });
});

describe("no salvage", () => {
  test("of another member's store", async () => {
    const directory = await closedStore();
    rmSync(logOf(join(directory, "data")));
    expect(() => salvageStore({ directory, cluster: "alpha", node: "ha2" })).toThrow(
      expect.objectContaining({ code: "STORE_FOREIGN" }),
    );
    expect(readdirSync(directory).filter((name) => name.startsWith("data"))).toEqual(["data"]);
  });

  test("of a store that a process has open", async () => {
    const directory = await closedStore();
    await openStore(directory);
    expect(() => salvageStore({ directory, ...OWNER })).toThrow(expect.objectContaining({ code: "STORE_IN_USE" }));
  });

  test("of the count of starts, which is the lock as well", async () => {
    const directory = await closedStore();
    writeFileSync(join(directory, "boot.sqlite"), Buffer.alloc(PAGE, "garbage "));
    expect(canSalvage(directory, await damageOf(directory))).toBe(false);
  });

  test("once more on a disk that has damaged three, until an operator has seen to it", async () => {
    const directory = await closedStore();
    const tables = tablesOf(join(directory, "data"));
    cpSync(tables, join(directory, "sound.sqlite"));
    const setAside: string[] = [];
    for (let count = 0; count < 3; count++) {
      writeFileSync(tables, "garbage");
      setAside.push(salvageStore({ directory, ...OWNER }).setAside);
    }
    expect(new Set(setAside).size).toBe(3);
    expect(() => salvageStore({ directory, ...OWNER })).toThrow(StoreError);
    expect(() => salvageStore({ directory, ...OWNER })).toThrow(/see to the disk, then remove these/);
    rmSync(setAside[0] ?? "", { recursive: true });
    expect(salvageStore({ directory, ...OWNER }).setAside).toContain("data.damaged-");
  });
});

const NONE = { least: 0, most: 0 };

function expectBetween(number: number, { least, most }: { readonly least: number; readonly most: number }): void {
  expect(number).toBeGreaterThanOrEqual(least);
  expect(number).toBeLessThanOrEqual(most);
}

/** For what the store is refused, or its rows are. */
async function damageOf(directory: string): Promise<StoreCorruptError> {
  const outcome: unknown = await loadAll(directory).catch((error: unknown) => error);
  if (outcome instanceof StoreCorruptError) return outcome;
  throw new Error("the damage was not found", { cause: outcome instanceof Error ? outcome : undefined });
}

/** Rows by their number, in hexadecimal. */
async function loadAll(directory: string): Promise<Map<number, string>> {
  const { store } = await openStore(directory);
  try {
    return new Map(Array.from(store.load(), ({ row }) => [numberOf(row), hex(row)] as const));
  } finally {
    await store.close();
  }
}

function changes(first: number, count: number, counter = 1): LoggedChange[] {
  return Array.from({ length: count }, (_, index) => {
    const number = first + index;
    return { position: number, table: "binding", key: `ip:${addressOf(number)}`, row: rowOf(number, counter) };
  });
}

function addressOf(number: number): string {
  return `10.64.${number >> 8}.${number & 255}`;
}

/** What its row says where no other does: whose decision it is, and before it the counter. */
function markOf(number: number): Buffer {
  const member = `row${number}`;
  return Buffer.concat([Uint8Array.of(member.length), Buffer.from(member), Uint8Array.of(0)]);
}

function numberOf(row: Uint8Array): number {
  return Number(decodeBindingRow(row).registration.decidedBy.slice("row".length));
}

function rowOf(number: number, counter: number): Uint8Array {
  return encodeBindingRow({
    mobile: `ip:${addressOf(number)}`,
    homeAddress: ipv4(addressOf(number)),
    nai: undefined,
    createdAtMs: 1_789_999_000_000,
    homeAddressSinceMs: 1_789_999_000_000,
    dynamic: false,
    registration: {
      association: "home addresses 10.64.0.0-10.64.255.255",
      identification: 0xeeae4567dcd51000n,
      replayStyle: "timestamps",
      authenticator: "491cd39e48003cc2d3a632a71672fedb",
      code: 0,
      lifetimeSeconds: 600,
      acceptedAtMs: 1_790_000_000_000,
      replayResets: 0,
      forgottenUntilMs: 0,
      counter,
      decidedBy: `row${number}`,
      careOfAddresses: [],
      replayableUntilMs: 1_790_000_015_000,
      retainUntilMs: Number.POSITIVE_INFINITY,
      reservedUntilMs: 0,
    },
    ownership: { owner: "ha1", backups: ["ha2"], generation: 4 },
  });
}

function sql(path: string, statements: string): void {
  const database = new Database(path);
  database.exec(statements);
  database.close();
}

/** Where SQLite itself was used to do the damage, it has removed the WAL on closing. */
function keepWal(data: string): void {
  const wal = `${logOf(data)}-wal`;
  if (!existsSync(join(data, "closed")) && !existsSync(wal)) writeFileSync(wal, "");
}

function flipCounter(path: string, number: number): void {
  const place = placeOf(path, number) - 1;
  overwrite(path, place, Buffer.from([(readFileSync(path)[place] ?? 0) ^ 4]));
}

function placeOf(path: string, number: number): number {
  const place = readFileSync(path).indexOf(markOf(number));
  expect(place).toBeGreaterThan(0);
  return place;
}

function pageStart(path: string, number: number): number {
  const place = placeOf(path, number);
  return place - (place % PAGE);
}

function pageOf(path: string, number: number): Buffer {
  const start = pageStart(path, number);
  return readFileSync(path).subarray(start, start + PAGE);
}

function overwritePage(path: string, number: number, page: Buffer): void {
  overwrite(path, pageStart(path, number), page);
}
