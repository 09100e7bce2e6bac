/** What a member believes of its disk (the whole way, with files that are really damaged: test/adapters/store/salvage.test.ts). */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Binding } from "../../../src/core/bindings/binding.ts";
import { encodeBindingRow } from "../../../src/core/bindings/binding-row.ts";
import { encodeLocationRow } from "../../../src/core/bindings/location-row.ts";
import type { StoreTable } from "../../../src/core/bindings/row-change.ts";
import { isIntact, rowChecksum, Salvage, type StoredRecord } from "../../../src/core/bindings/stored-row.ts";
import { ipv4 } from "../../../src/core/wire/ipv4.ts";

test("a row is intact as it was written, and under no other key or table", () => {
  const written = record("binding", "ip:10.64.1.1", "{}");
  expect(isIntact(written)).toBe(true);
  expect(isIntact({ ...written, key: "ip:10.64.1.2" })).toBe(false);
  expect(isIntact({ ...written, table: "location" })).toBe(false);
  expect(isIntact({ ...written, row: null })).toBe(false);
  expect(isIntact(record("elsewhere", "ip:10.64.1.1", "{}"))).toBe(false);
});

test("any flipped bit of key, row or checksum is noticed", () => {
  const written = row(1, 1);
  fc.assert(
    fc.property(fc.constantFrom("key", "row", "checksum"), fc.nat(), fc.nat(6), (field, place, bit) => {
      if (field === "checksum") {
        const checksum = (written.checksum ^ (1 << (place % 32))) >>> 0;
        return !isIntact({ ...written, checksum });
      }
      const flipped = Buffer.from(written[field as "key" | "row"] ?? "");
      const at = place % flipped.length;
      flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
      return !isIntact({ ...written, [field]: field === "key" ? flipped.toString("latin1") : flipped });
    }),
  );
});

test("what can't be believed is left out, and told with its name; all else is taken", () => {
  const { rows, salvage } = start();
  salvage.takeRow(row(1, 1));
  salvage.takeRow({ ...row(2, 1), checksum: 1 });
  salvage.takeRow(record("binding", "ip:10.64.1.3", "{}"));
  expect([...rows.keys()]).toEqual(["binding ip:10.64.1.1"]);
  expect(salvage.leftOut).toBe(2);
  expect(salvage.problems).toEqual([
    'the binding row "ip:10.64.1.2" does not read back as it was written',
    `the binding row "ip:10.64.1.3" can't be understood`,
  ]);
});

test("of a row that is there twice the newer counts, in whatever order they are found, and it is told", () => {
  for (const order of [
    [1, 2],
    [2, 1],
  ]) {
    const { rows, salvage } = start();
    for (const counter of order) salvage.takeRow(row(1, counter));
    expect(rows.get("binding ip:10.64.1.1")).toEqual(row(1, 2).row);
    for (const generation of order) salvage.takeRow(location(generation));
    expect(rows.get("location ip:10.64.1.9")).toEqual(location(2).row);
    expect(salvage.leftOut).toBe(2);
  }
});

test("changes of the log follow the rows, each by itself: one that is damaged costs no other", () => {
  const { rows, salvage } = start();
  salvage.takeRow(row(1, 1));
  salvage.takeRow(row(2, 1));
  salvage.takeChange({ ...row(1, 2), checksum: 1 });
  salvage.takeChange(row(3, 1));
  salvage.takeChange(record("binding", "ip:10.64.1.2", null));
  salvage.takeChange(record("location", "ip:10.64.1.9", "{}"));
  expect(rows.get("binding ip:10.64.1.1")).toEqual(row(1, 1).row);
  expect([...rows.keys()]).toEqual(["binding ip:10.64.1.1", "binding ip:10.64.1.3"]);
  expect(salvage.leftOut).toBe(2);
});

test("a file full of damage is told in a few lines, and in full by number", () => {
  const { salvage } = start();
  for (let number = 1; number <= 200; number++) salvage.takeRow({ ...row(number, 1), checksum: 1 });
  salvage.miss(50, "50 changes of the log are missing");
  expect(salvage.leftOut).toBe(250);
  expect(salvage.problems).toHaveLength(5);
});

function start() {
  const rows = new Map<string, Uint8Array>();
  const name = (table: StoreTable, key: string) => `${table} ${key}`;
  const salvage = new Salvage({
    get: (table, key) => rows.get(name(table, key)),
    set: (table, key, bytes) => rows.set(name(table, key), bytes),
    delete: (table, key) => rows.delete(name(table, key)),
  });
  return { rows, salvage };
}

function record(table: string, key: string, content: Uint8Array | string | null): StoredRecord {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  return { table, key, row: bytes, checksum: rowChecksum(table, key, bytes) };
}

/** `counter` orders the versions of a row. */
function row(number: number, counter: number): StoredRecord {
  const binding: Binding = {
    mobile: `ip:10.64.1.${number}`,
    homeAddress: ipv4(`10.64.1.${number}`),
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
      counter,
      replayResets: 0,
      forgottenUntilMs: 0,
      decidedBy: "ha1",
      careOfAddresses: [],
      replayableUntilMs: 1_790_000_015_000,
      retainUntilMs: Number.POSITIVE_INFINITY,
      reservedUntilMs: 0,
    },
    ownership: { owner: "ha1", backups: ["ha2"], generation: 4 },
  };
  return record("binding", binding.mobile, encodeBindingRow(binding));
}

function location(generation: number): StoredRecord {
  const mobile = "ip:10.64.1.9";
  const bytes = encodeLocationRow({
    mobile,
    homeAddress: ipv4("10.64.1.9"),
    nai: undefined,
    homeAddressSinceMs: 1,
    owner: "ha2",
    backups: ["ha3"],
    generation,
    knownUntilMs: 2,
    ingress: undefined,
  });
  return record("location", mobile, bytes);
}
