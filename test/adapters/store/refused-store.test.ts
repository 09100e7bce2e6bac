import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { StoreCorruptError, StoreError } from "../../../src/adapters/store/store-error.ts";
import {
  asRows,
  bindings,
  bootCountOf,
  fillStore,
  openStore,
  overwrite,
  sorted,
  temporaryDirectory,
} from "./store-fixture.ts";
import { StoreProcess } from "./store-process.ts";

async function refusal(directory: string, owner?: { cluster: string; node: string }): Promise<StoreError> {
  const outcome = await openStore(directory, owner).catch((error: unknown) => error);
  if (!(outcome instanceof StoreError))
    throw new Error("the store was not refused with a StoreError", { cause: outcome });
  return outcome;
}

describe("a store that is in use", () => {
  test("is refused to a second process, naming the first", async () => {
    const directory = temporaryDirectory();
    await openStore(directory);
    const second = await new StoreProcess(directory).untilOpen();
    expect(second.refused).toEqual({
      type: "refused",
      code: "STORE_IN_USE",
      message: `the store ${directory} is already in use by process ${process.pid}`,
    });
  });

  test("is refused to the same process, again and again", async () => {
    const directory = temporaryDirectory();
    const { store } = await openStore(directory);
    expect((await refusal(directory)).code).toBe("STORE_IN_USE");
    expect((await refusal(directory)).code).toBe("STORE_IN_USE");
    expect((await new StoreProcess(directory).untilOpen()).refused?.code).toBe("STORE_IN_USE");
    await store.close();
    await openStore(directory);
  });

  test("is free as soon as its process is dead, whatever the pid file says", async () => {
    const directory = temporaryDirectory();
    const first = await new StoreProcess(directory).untilOpen();
    expect((await refusal(directory)).message).toBe(`the store ${directory} is already in use by process ${first.pid}`);
    await first.kill();
    expect(readFileSync(join(directory, "pid"), "utf8")).toBe(`${first.pid}\n`);
    await openStore(directory);
  });
});

describe("a store of somebody else", () => {
  test.each([
    ["another node", { cluster: "alpha", node: "ha2" }],
    ["another cluster", { cluster: "beta", node: "ha1" }],
  ])("is refused: %s", async (_, owner) => {
    const directory = temporaryDirectory();
    await fillStore(directory, bindings(1, 1));
    const error = await refusal(directory, owner);
    expect(error.code).toBe("STORE_FOREIGN");
    expect(error.message).toContain("belongs to node ha1 of cluster alpha");
    expect(error.message).toContain(`this is node ${owner.node} of cluster ${owner.cluster}`);
    const { store } = await openStore(directory);
    expect(sorted(store.load())).toEqual(asRows(bindings(1, 1)));
  });
});

describe("a place where no store can be", () => {
  test("a file in the way of the directory", async () => {
    const file = join(temporaryDirectory(), "file");
    writeFileSync(file, "");
    const error = await refusal(join(file, "store"));
    expect(error.code).toBe("STORE_UNAVAILABLE");
    expect(error.message).toContain(`cannot create the store directory ${join(file, "store")}: ENOTDIR`);
  });

  test("a file where the directory should be", async () => {
    const file = join(temporaryDirectory(), "file");
    writeFileSync(file, "");
    expect((await refusal(file)).code).toBe("STORE_UNAVAILABLE");
  });
});

/** Its rows are folded, its log is empty. */
async function closedStore(): Promise<string> {
  const directory = temporaryDirectory();
  await fillStore(directory, bindings(1, 2_000));
  return directory;
}

/** Its newest changes are in the log's WAL and nowhere else, in several commits. */
async function killedStore(): Promise<string> {
  const directory = temporaryDirectory();
  await fillStore(directory, bindings(1, 100));
  const child = await new StoreProcess(directory).untilOpen();
  for (const first of [1, 51]) {
    child.append(bindings(first, 50));
    await child.untilDurable(first + 49);
  }
  await child.kill();
  return directory;
}

function sql(path: string, statement: string): void {
  const database = new Database(path);
  database.exec(statement);
  database.close();
}

const PAGE = 4_096;

/** file: the one that the error must name. */
const damages: readonly {
  readonly title: string;
  readonly file: string;
  readonly make?: () => Promise<string>;
  readonly damage: (data: string) => void | Promise<void>;
  readonly problem: RegExp;
}[] = [
  {
    title: "the tables are no database",
    file: "tables.sqlite",
    damage: (data) => writeFileSync(join(data, "tables.sqlite"), Buffer.alloc(3 * PAGE, "garbage ")),
    problem: /not a database/,
  },
  {
    title: "the log is no database",
    file: "log.sqlite",
    damage: (data) => writeFileSync(join(data, "log.sqlite"), Buffer.alloc(3 * PAGE, "garbage ")),
    problem: /not a database/,
  },
  {
    title: "the tables are cut short",
    file: "tables.sqlite",
    damage: (data) => truncateSync(join(data, "tables.sqlite"), 5 * PAGE),
    problem: /malformed|page/i,
  },
  {
    title: "a page of the tables is overwritten",
    file: "tables.sqlite",
    damage: (data) => {
      const tables = join(data, "tables.sqlite");
      const row = readFileSync(tables).indexOf('{"position":1234}');
      overwrite(tables, row - (row % PAGE), Buffer.alloc(PAGE, 0xa5));
    },
    problem: /page/i,
  },
  {
    title: "the tables are empty",
    file: "tables.sqlite",
    damage: (data) => truncateSync(join(data, "tables.sqlite"), 0),
    problem: /the file is empty/,
  },
  {
    title: "the log is empty",
    file: "log.sqlite",
    make: killedStore,
    damage: (data) => truncateSync(join(data, "log.sqlite"), 0),
    problem: /the file is empty/,
  },
  {
    title: "the tables are lost",
    file: "tables.sqlite",
    damage: (data) => {
      for (const name of readdirSync(data)) if (name.startsWith("tables.sqlite")) rmSync(join(data, name));
    },
    problem: /the file is missing/,
  },
  {
    title: "the log is lost",
    file: "log.sqlite",
    damage: (data) => {
      for (const name of readdirSync(data)) if (name.startsWith("log.sqlite")) rmSync(join(data, name));
    },
    problem: /the file is missing/,
  },
  {
    title: "the log's WAL is lost, with changes in it",
    file: "log.sqlite-wal",
    make: killedStore,
    damage: (data) => rmSync(join(data, "log.sqlite-wal")),
    problem: /the file is missing, and with it the newest changes/,
  },
  {
    title: "the log's WAL is garbage",
    file: "log.sqlite-wal",
    make: killedStore,
    damage: (data) => overwrite(join(data, "log.sqlite-wal"), 0, Buffer.alloc(3 * PAGE, "garbage ")),
    problem: /its header is damaged, and with it the newest changes are lost/,
  },
  {
    title: "a page in the middle of the log's WAL is overwritten",
    file: "log.sqlite-wal",
    make: killedStore,
    damage: (data) => overwrite(join(data, "log.sqlite-wal"), 100, Buffer.alloc(PAGE, 0xa5)),
    problem: /it is damaged at byte 32, and later changes can't be read/,
  },
  {
    title: "the tables are an older copy than the log",
    file: "tables.sqlite",
    make: async () => {
      const directory = await closedStore();
      cpSync(join(directory, "data/tables.sqlite"), join(directory, "older.sqlite"));
      await fillStore(directory, bindings(1, 5));
      return directory;
    },
    damage: (data) => renameSync(join(data, "../older.sqlite"), join(data, "tables.sqlite")),
    problem: /older than the log: it ends at sequence 2000, the log begins after 2005/,
  },
  {
    title: "the log is an older copy than the tables",
    file: "tables.sqlite",
    make: async () => {
      const directory = await closedStore();
      cpSync(join(directory, "data/log.sqlite"), join(directory, "older.sqlite"));
      await fillStore(directory, bindings(1, 5));
      return directory;
    },
    damage: (data) => renameSync(join(data, "../older.sqlite"), join(data, "log.sqlite")),
    problem: /newer than the log: it ends at sequence 2005, the log at 2000/,
  },
  {
    title: "the tables belong to another store of the same node",
    file: "tables.sqlite",
    damage: async (data) => cpSync(join(await closedStore(), "data/tables.sqlite"), join(data, "tables.sqlite")),
    problem: /belongs to another store than .*log\.sqlite/,
  },
  {
    title: "a change in the log does not read back as it was written",
    file: "log.sqlite",
    make: killedStore,
    damage: (data) => sql(join(data, "log.sqlite"), "UPDATE log SET row = x'7b7d' WHERE sequence = 150"),
    problem: /sequence 150 does not read back/,
  },
  {
    title: "a change in the middle of the log is missing",
    file: "log.sqlite",
    make: killedStore,
    damage: (data) => sql(join(data, "log.sqlite"), "DELETE FROM log WHERE sequence = 150"),
    problem: /the change with sequence 150 is missing/,
  },
  {
    title: "the store does not say whose it is",
    file: "log.sqlite",
    damage: (data) => sql(join(data, "log.sqlite"), "DELETE FROM meta"),
    problem: /does not say which store it belongs to/,
  },
];

describe("a damaged store", () => {
  test.each(damages)("is refused and left alone: $title", async ({ file, make, damage, problem }) => {
    const directory = await (make ?? closedStore)();
    const data = join(directory, "data");
    await damage(data);
    // Where SQLite itself was used to do the damage, it removed the WAL on closing.
    if (make === killedStore && file === "log.sqlite" && !existsSync(join(data, "log.sqlite-wal"))) {
      writeFileSync(join(data, "log.sqlite-wal"), "");
    }
    const before = databases(data);

    const error = await refusal(directory);
    expect(error).toBeInstanceOf(StoreCorruptError);
    expect(error).toMatchObject({
      code: "STORE_CORRUPT",
      file: join(data, file),
      problem: expect.stringMatching(problem),
    });
    expect(databases(data)).toEqual(before);
    // And it stays refused: nothing was "repaired" on the way.
    expect((await refusal(directory)).code).toBe("STORE_CORRUPT");
  });

  test("a row that does not read back as it was written stops the load", async () => {
    const directory = await closedStore();
    const tables = join(directory, "data/tables.sqlite");
    const offset = readFileSync(tables).indexOf('{"position":1234}');
    overwrite(tables, offset, Buffer.from('{"position":1235}'));

    const { store } = await openStore(directory);
    expect(() => [...store.load()]).toThrow(StoreCorruptError);
    expect(() => [...store.load()]).toThrow(
      'the binding row "nai:user1234@example.net" does not read back as it was written',
    );
  });

  test("names the command that puts it aside; the next start is empty, and its number goes on", async () => {
    const directory = join(temporaryDirectory(), "it's a store");
    await fillStore(directory, bindings(1, 10));
    const before = await bootCountOf(directory);
    writeFileSync(join(directory, "data/tables.sqlite"), "garbage");

    const { message } = await refusal(directory);
    const command = message.split("\n").find((line) => line.startsWith("  mv "));
    execFileSync("sh", ["-c", command ?? "false"]);

    const { store } = await openStore(directory);
    expect([...store.load()]).toEqual([]);
    expect(store.bootCount).toBeGreaterThan(before);
    expect(readdirSync(directory).filter((name) => name.startsWith("data.corrupt-"))).toHaveLength(1);
  });

  test("a damaged boot counter is refused; without it the count goes on from the data", async () => {
    const directory = await closedStore();
    const before = await bootCountOf(directory);
    writeFileSync(join(directory, "boot.sqlite"), Buffer.alloc(PAGE, "garbage "));
    const error = await refusal(directory);
    expect(error).toMatchObject({ code: "STORE_CORRUPT", file: join(directory, "boot.sqlite") });
    const command = error.message.split("\n").find((line) => line.startsWith("  mv "));
    execFileSync("sh", ["-c", command ?? "false"]);

    const { store } = await openStore(directory);
    expect(store.bootCount).toBeGreaterThan(before);
    expect(sorted(store.load())).toEqual(asRows(bindings(1, 2_000)));
  });

  test("is not what a last commit is that a power loss has torn: it was never acknowledged", async () => {
    const directory = await killedStore();
    const wal = join(directory, "data/log.sqlite-wal");
    overwrite(wal, readFileSync(wal).length - 100, Buffer.alloc(100, 0xa5));
    const { store } = await openStore(directory);
    expect(sorted(store.load())).toEqual(asRows(bindings(1, 100)));
  });

  test("is not what a closed store without WAL is: sqlite3 removes it when it has looked at the log", async () => {
    const directory = await closedStore();
    sql(join(directory, "data/log.sqlite"), "SELECT * FROM meta");
    expect(existsSync(join(directory, "data/log.sqlite-wal"))).toBe(false);
    const { store } = await openStore(directory);
    expect(sorted(store.load())).toEqual(asRows(bindings(1, 2_000)));
  });
});

function databases(data: string): [string, string][] {
  return readdirSync(data)
    .filter((name) => name.endsWith(".sqlite"))
    .map((name) => [
      name,
      createHash("sha256")
        .update(readFileSync(join(data, name)))
        .digest("hex"),
    ]);
}
