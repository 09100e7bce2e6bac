/** A binding as a row: what is on disk, and what members send each other. */
import { ByteReader, ByteWriter, LayoutError } from "../layout/byte-cursor.ts";
import { record } from "../layout/record.ts";
import { naiOf } from "../names.ts";
import { formatIpv4, UNSPECIFIED } from "../wire/ipv4.ts";
import { BINDING_FIELDS, type Binding } from "./binding.ts";

export const BINDING_ROW = record(BINDING_FIELDS);

/** Of a mobile with one care-of address, generously. */
const EXPECTED_BYTES = 320;

/** A change goes to the log and to backups, one right after the other, and a backup writes what it was sent. */
let latest: { readonly binding: Binding; readonly row: Uint8Array } | undefined;

/** Nobody changes it: it may be asked for again. */
export function encodeBindingRow(binding: Binding): Uint8Array {
  if (latest?.binding === binding) return latest.row;
  const writer = new ByteWriter(EXPECTED_BYTES);
  BINDING_ROW.write(writer, binding);
  const row = writer.written();
  latest = { binding, row };
  return row;
}

/** Throws a LayoutError. */
export function decodeBindingRow(row: Uint8Array): Binding {
  const reader = new ByteReader(row);
  const fields = BINDING_ROW.read(reader);
  if (!reader.isAtEnd) throw new LayoutError("a row longer than its fields");
  const binding: Binding = { ...fields, nai: naiOf(fields.mobile) };
  // Whatever else it says, a row is found by its key: it must be that of the mobile that it speaks of.
  if (!hasOwnKey(binding)) throw new LayoutError("a row whose key is not that of its home address");
  // A copy: the row may be a view of much more, which would be kept with it.
  latest = { binding, row: Buffer.from(row) };
  return binding;
}

function hasOwnKey({ mobile, nai, homeAddress }: Binding): boolean {
  return nai !== undefined || homeAddress === UNSPECIFIED || mobile === `ip:${formatIpv4(homeAddress)}`;
}
