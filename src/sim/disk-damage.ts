/** What storage does to a member while it is down; the member has to find out by itself. */
import type { StoredRecord } from "../core/bindings/stored-row.ts";
import type { Random } from "./random.ts";
import type { Stored } from "./stored.ts";

export const DAMAGE_KINDS = [
  /** Bits have flipped in a few rows. */
  "flipped-bits",
  /** Writes that were acknowledged were in a cache, and are gone. */
  "lost-fsync",
  /** A write went to the place of another row. */
  "misdirected-write",
  /** Of the last write a part is there. */
  "torn-write",
  /** A file ends early. */
  "truncated-file",
] as const;
export type DamageKind = (typeof DAMAGE_KINDS)[number];

export interface Damage {
  /** Records that can be seen to be damaged, and must be told of. */
  readonly visible: number;
  /** Rows that were never written, as `nameOf` names them. */
  readonly forged: ReadonlySet<string>;
}

/** Tells one row's content from another's. */
export function nameOf(row: Uint8Array): string {
  return Buffer.from(row).toString("hex");
}

const MOST_FLIPPED = 6;

export function damage(kind: DamageKind, stored: Stored, random: Random): Damage {
  switch (kind) {
    case "flipped-bits":
      return flipBits(stored, random);
    case "lost-fsync":
      stored.log.splice(random.integer(stored.log.length + 1));
      return { visible: 0, forged: new Set() };
    case "misdirected-write":
      return misdirect(stored, random);
    case "torn-write":
      return tear(stored, random);
    case "truncated-file":
      return truncate(stored, random);
  }
}

function flipBits(stored: Stored, random: Random): Damage {
  const places = [...stored.tables.keys()];
  const forged = new Set<string>();
  let visible = 0;
  for (let count = 1 + random.integer(MOST_FLIPPED); count > 0 && places.length > 0; count--) {
    const [place = ""] = places.splice(random.integer(places.length), 1);
    const record = stored.tables.get(place);
    if (record === undefined) continue;
    const flipped = flippedSomewhere(record, random);
    if (flipped.row !== record.row && flipped.row !== null) forged.add(nameOf(flipped.row));
    stored.tables.set(place, flipped);
    visible++;
  }
  return { visible, forged };
}

function flippedSomewhere(record: StoredRecord, random: Random): StoredRecord {
  const { key, row, checksum } = record;
  if (random.chance(0.1)) return { ...record, checksum: (checksum ^ (1 << random.integer(32))) >>> 0 };
  if (random.chance(0.1) || row === null) return { ...record, key: flippedText(key, random) };
  return { ...record, row: flippedBytes(row, random) };
}

function flippedBytes(row: Uint8Array, random: Random): Uint8Array {
  const flipped = Uint8Array.from(row);
  const place = random.integer(row.length);
  flipped[place] = (flipped[place] ?? 0) ^ (1 << random.integer(8));
  return flipped;
}

/** One of the four lowest bits of a character, so that digits mostly stay digits. */
function flippedText(text: string, random: Random): string {
  const place = random.integer(text.length);
  const flipped = String.fromCharCode(text.charCodeAt(place) ^ (1 << random.integer(4)));
  return text.slice(0, place) + flipped + text.slice(place + 1);
}

/**
 * The new version of one row overwrites another row; where it belongs, the former version stays. Or its content alone goes
 * astray.
 */
function misdirect(stored: Stored, random: Random): Damage {
  const places = [...stored.tables.keys()];
  if (places.length < 2) return { visible: 0, forged: new Set() };
  const from = random.pick(places);
  const to = random.pick(places.filter((place) => place !== from));
  const [record, overwritten] = [stored.tables.get(from), stored.tables.get(to)];
  if (record === undefined || overwritten === undefined) return { visible: 0, forged: new Set() };
  if (random.chance(0.5)) {
    stored.tables.set(to, { ...overwritten, row: record.row, checksum: record.checksum });
    return { visible: 1, forged: new Set() };
  }
  stored.tables.set(to, record);
  const former = stored.former.get(from);
  if (former === undefined) stored.tables.delete(from);
  else stored.tables.set(from, former);
  // Where nothing was before, the row is there once, if in a strange place: it can be found, and be believed.
  return { visible: former === undefined ? 0 : 1, forged: new Set() };
}

/** The last change stands for a row of the tables that was being written: a part of it is new, the rest as it was. */
function tear(stored: Stored, random: Random): Damage {
  const last = stored.log.pop();
  if (last === undefined || last.row === null) return { visible: 0, forged: new Set() };
  const before = stored.row(last.table === "location" ? "location" : "binding", last.key) ?? new Uint8Array();
  const length = random.integer(last.row.length);
  const torn = Buffer.concat([last.row.subarray(0, length), before.subarray(length)]);
  stored.log.push({ ...last, row: torn });
  const isWhole = torn.equals(last.row);
  return { visible: isWhole ? 0 : 1, forged: new Set(isWhole || torn.equals(before) ? [] : [nameOf(torn)]) };
}

/** The log, or the tables, with the record at the end cut in two. */
function truncate(stored: Stored, random: Random): Damage {
  const records = random.chance(0.5) ? stored.log : [...stored.tables.values()];
  const kept = records.slice(0, random.integer(records.length + 1));
  const last = kept.pop();
  const cut = last?.row ? { ...last, row: last.row.subarray(0, random.integer(last.row.length)) } : undefined;
  const left = cut === undefined ? kept : [...kept, cut];
  if (records === stored.log) stored.log = left;
  else {
    stored.tables.clear();
    for (const record of left) stored.tables.set(`${record.table} ${record.key}`, record);
  }
  return { visible: cut === undefined ? 0 : 1, forged: new Set(cut === undefined ? [] : [nameOf(cut.row)]) };
}
