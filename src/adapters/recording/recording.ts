/**
 * A recording holds everything that goes into the core of one home agent while it runs, and a digest of what comes out: with
 * it the same decisions are made again, elsewhere and later.
 *
 * The file is a sequence of records, framed as messages on a stream are: a length (32 bits, big-endian), and that many bytes of
 * V8's serialization.
 */
import { createHash } from "node:crypto";
import { serialize } from "node:v8";
import type { ForeignAgentAssociation, MobileAssociation } from "../../core/auth/association.ts";
import { AssociationTable } from "../../core/auth/association-table.ts";
import type { StoreTable } from "../../core/bindings/row-change.ts";
import type { Input, Output } from "../../core/home-agent/io.ts";
import type { HomeAgentSettings, Reconfiguration } from "../../core/home-agent/settings.ts";
import type { Now } from "../../core/now.ts";

/** Changes with every change of the records. */
export const RECORDING_FORMAT = "anyhome-recording-1";

const LENGTH_BYTES = 4;
/** Far more than any turn of the event loop takes in: what says more is no length. */
export const MAXIMUM_RECORD_BYTES = 256 * 1024 * 1024;

/** Whatever must stay secret. A recording without keys is replayed with those of the configuration. */
export interface Keys {
  readonly secret: Uint8Array;
  readonly mobiles: readonly MobileAssociation[];
  readonly foreignAgents: readonly ForeignAgentAssociation[];
}

/** The first record. */
export interface RecordedStart {
  readonly format: typeof RECORDING_FORMAT;
  /** Of Anyhome. */
  readonly version: string;
  readonly startedAtMs: number;
  readonly settings: Omit<HomeAgentSettings, "secret" | "associations">;
  /** `undefined` if they were left out. */
  readonly keys: Keys | undefined;
  readonly forwards: boolean;
}

/** A row that was on disk at start. */
export interface RecordedRow {
  readonly table: StoreTable;
  readonly row: Uint8Array;
}

export type RecordedInput =
  | Exclude<Input, { readonly type: "reconfigure" }>
  | {
      readonly type: "reconfigure";
      readonly changes: Omit<Reconfiguration, "associations">;
      /** `undefined` if they are as before, or were left out. */
      readonly associations: Pick<Keys, "mobiles" | "foreignAgents"> | undefined;
    };

/** Inputs that were handled together. */
export interface RecordedTurn {
  readonly now: Now;
  readonly inputs: readonly RecordedInput[];
  /** `undefined` if settling failed. */
  readonly outputsDigest: string | undefined;
}

export type RecordedItem = RecordedStart | RecordedRow | RecordedTurn;

/** @throws RangeError for what no reader would take */
export function encodeRecord(item: RecordedItem): Uint8Array {
  const body = serialize(item);
  if (body.length > MAXIMUM_RECORD_BYTES) throw new RangeError(`a record of ${body.length} bytes`);
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

/** Tells outputs from all others. By their text: V8 may write the same number in several ways. */
export function digestOf(outputs: readonly Output[]): string {
  return createHash("sha256").update(jsonOf(outputs)).digest("hex");
}

/** Bytes become hexadecimal digits, large integers decimal ones; of associations, which have keys, nothing is shown. */
export function jsonOf(value: unknown): string {
  return JSON.stringify(value, function (this: Record<string, unknown>, name: string, item: unknown) {
    // What a Buffer makes of itself comes before this function.
    const original = this[name];
    if (original instanceof Uint8Array) return Buffer.from(original).toString("hex");
    if (typeof item === "bigint") return String(item);
    return item instanceof AssociationTable ? undefined : item;
  });
}
