import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Binding } from "../../../src/core/bindings/binding.ts";
import { BINDING_ROW, decodeBindingRow, encodeBindingRow } from "../../../src/core/bindings/binding-row.ts";
import type { Location } from "../../../src/core/bindings/location.ts";
import { decodeLocationRow, encodeLocationRow, LOCATION_ROW } from "../../../src/core/bindings/location-row.ts";
import { readableRow, rowFromReadable } from "../../../src/core/bindings/readable-row.ts";
import { LayoutError } from "../../../src/core/layout/byte-cursor.ts";
import { naiOf } from "../../../src/core/names.ts";
import { ipv4, parseIpv4, UNSPECIFIED } from "../../../src/core/wire/ipv4.ts";
import { arbitraryOf } from "../layout/arbitraries.ts";
import { fromHex, hex } from "../wire/golden.ts";

const BINDING: Binding = {
  mobile: "nai:bob@example.com",
  homeAddress: ipv4("10.79.1.0"),
  nai: "bob@example.com",
  homeAddressSinceMs: 1_789_999_000_000,
  dynamic: true,
  createdAtMs: 1_789_998_000_000,
  registration: {
    identification: 0xeeae4567dcd51000n,
    replayStyle: "timestamps",
    authenticator: "491cd39e48003cc2d3a632a71672fedb",
    association: "realm example.com",
    code: 0,
    lifetimeSeconds: 600,
    acceptedAtMs: 1_790_000_000_000,
    counter: 3,
    replayResets: 1,
    forgottenUntilMs: 1_789_999_999_000,
    decidedBy: "ha1",
    careOfAddresses: [
      {
        careOfAddress: ipv4("192.0.2.7"),
        flags: 0x28,
        lifetimeSeconds: 600,
        expiresAtMs: 1_790_000_600_000,
        foreignAgent: { address: ipv4("192.0.2.1"), port: 434 },
        ingress: "ha2",
        identification: 0xeeae4567dcd51000n,
      },
    ],
    replayableUntilMs: 1_790_000_015_000,
    retainUntilMs: Number.POSITIVE_INFINITY,
    reservedUntilMs: 0,
  },
  ownership: { owner: "ha1", backups: ["ha2"], generation: 4 },
};

/** As it stands in stores that exist: a change here needs a migration. */
const ROW = [
  "000f 626f62406578616d706c652e636f6d",
  "0a4f0100 000001a0c44129c0 01 000001a0c431e780",
  "eeae4567dcd51000 00 10 491cd39e48003cc2d3a632a71672fedb",
  "0011 7265616c6d206578616d706c652e636f6d",
  "00 0258 000001a0c4506c00 00000001 000001a0c4506818 0000000000000003 03 686131",
  "01 c0000207 28 0258 000001a0c45993c0 c0000201 01b2 03 686132 eeae4567dcd51000",
  "000001a0c450a698 ffffffffffffffff 0000000000000000",
  "03 686131 01 03 686132 00000004",
].join(" ");

/** As people see it. */
const READABLE = {
  mobile: "nai:bob@example.com",
  homeAddress: "10.79.1.0",
  homeAddressSinceMs: 1_789_999_000_000,
  dynamic: true,
  createdAtMs: 1_789_998_000_000,
  registration: {
    identification: "0xeeae4567dcd51000",
    replayStyle: "timestamps",
    authenticator: "491cd39e48003cc2d3a632a71672fedb",
    association: "realm example.com",
    code: 0,
    lifetimeSeconds: 600,
    acceptedAtMs: 1_790_000_000_000,
    replayResets: 1,
    forgottenUntilMs: 1_789_999_999_000,
    counter: 3,
    decidedBy: "ha1",
    careOfAddresses: [
      {
        careOfAddress: "192.0.2.7",
        flags: 0x28,
        lifetimeSeconds: 600,
        expiresAtMs: 1_790_000_600_000,
        foreignAgent: "192.0.2.1:434",
        ingress: "ha2",
        identification: "0xeeae4567dcd51000",
      },
    ],
    replayableUntilMs: 1_790_000_015_000,
    retainUntilMs: null,
    reservedUntilMs: 0,
  },
  ownership: { owner: "ha1", backups: ["ha2"], generation: 4 },
};

const binding: fc.Arbitrary<Binding> = arbitraryOf(BINDING_ROW).map((fields) => {
  const nai = naiOf(fields.mobile);
  const homeAddress = nai === undefined ? (parseIpv4(fields.mobile.slice(3)) ?? UNSPECIFIED) : fields.homeAddress;
  return { ...fields, homeAddress, nai };
});
const location: fc.Arbitrary<Location> = arbitraryOf(LOCATION_ROW).map((fields) => ({
  ...fields,
  nai: naiOf(fields.mobile),
}));

test("a row is written as documented", () => {
  expect(hex(encodeBindingRow(BINDING))).toBe(hex(fromHex(ROW)));
  expect(decodeBindingRow(fromHex(ROW))).toEqual(BINDING);
});

test("any binding, and any location, comes back from its row as it was", () => {
  fc.assert(
    fc.property(binding, location, (original, other) => {
      expect(decodeBindingRow(Buffer.from(encodeBindingRow({ ...original })))).toEqual(original);
      expect(decodeLocationRow(encodeLocationRow(other))).toEqual(other);
    }),
  );
});

test("a row that was read is written again as it was, though what it was read from has changed", () => {
  const piece = Buffer.from(fromHex(ROW));
  const read = decodeBindingRow(piece);
  piece.fill(0);
  expect(hex(encodeBindingRow(read))).toBe(hex(fromHex(ROW)));
});

describe("rows as people read them", () => {
  test("have names and dotted addresses", () => {
    expect(readableRow("binding", fromHex(ROW))).toEqual(READABLE);
  });

  test("are rows again, whatever is in them", () => {
    fc.assert(
      fc.property(binding, location, (original, other) => {
        const rows = { binding: encodeBindingRow(original), location: encodeLocationRow(other) };
        for (const table of ["binding", "location"] as const) {
          const readable = JSON.parse(JSON.stringify(readableRow(table, rows[table])));
          expect(hex(rowFromReadable(table, readable))).toBe(hex(rows[table]));
        }
      }),
    );
  });

  test.each([
    ["registration.careOfAddresses[0].foreignAgent", '"192.0.2.1:434"', '"192.0.2.1"'],
    ["registration.careOfAddresses", '"careOfAddresses":[', '"careOfAddresses":{},"x":['],
    ["registration.identification", '"0xeeae4567dcd51000","replayStyle"', '"now","replayStyle"'],
    ["registration.replayStyle", '"timestamps"', '"none"'],
    ["homeAddress", '"10.79.1.0"', '"10.79.1"'],
    ["mobile", '"nai:bob@example.com"', '"bob"'],
    ["dynamic", '"dynamic":true', '"dynamic":1'],
    ["ownership.generation", '"generation":4', '"generation":null'],
  ])("are refused with the field at fault: %s", (field, from, to) => {
    const json = JSON.stringify(READABLE);
    expect(json).toContain(from);
    const refused = expect(() => rowFromReadable("binding", JSON.parse(json.replace(from, to))));
    refused.toThrow(LayoutError);
    refused.toThrow(new RegExp(`^${RegExp.escape(field)}: `));
  });
});

describe("a row that cannot be right is refused", () => {
  test("whose key is that of another home address", () => {
    const { nai: _, ...fields } = BINDING;
    const other = { ...fields, mobile: "ip:10.79.1.1" as const, nai: undefined };
    expect(() => decodeBindingRow(encodeBindingRow(other))).toThrow(LayoutError);
    const gone = { ...other, homeAddress: UNSPECIFIED };
    expect(decodeBindingRow(encodeBindingRow(gone))).toEqual(gone);
  });

  test("that has more than its fields, or less", () => {
    expect(() => decodeBindingRow(Buffer.concat([fromHex(ROW), new Uint8Array(1)]))).toThrow(LayoutError);
    for (let length = 0; length < fromHex(ROW).length; length++)
      expect(() => decodeBindingRow(fromHex(ROW).subarray(0, length))).toThrow(LayoutError);
  });
});
