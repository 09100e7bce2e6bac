import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Binding, CareOfBinding } from "../../../src/core/bindings/binding.ts";
import { BindingRowError, decodeBindingRow, encodeBindingRow } from "../../../src/core/bindings/binding-row.ts";
import type { MobileKey } from "../../../src/core/names.ts";
import { formatIpv4, type Ipv4Address, ipv4 } from "../../../src/core/wire/ipv4.ts";

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
const ROW =
  '{"mobile":"nai:bob@example.com","homeAddress":"10.79.1.0","nai":"bob@example.com","homeAddressSinceMs":1789999000000,"dynamic":true,"createdAtMs":1789998000000,' +
  '"registration":{"identification":"0xeeae4567dcd51000","replayStyle":"timestamps",' +
  '"authenticator":"491cd39e48003cc2d3a632a71672fedb","association":"realm example.com","code":0,"lifetimeSeconds":600,"acceptedAtMs":1790000000000,' +
  '"replayResets":1,"forgottenUntilMs":1789999999000,"counter":3,"decidedBy":"ha1","careOfAddresses":[{"careOfAddress":"192.0.2.7","flags":40,"lifetimeSeconds":600,' +
  '"expiresAtMs":1790000600000,"foreignAgent":"192.0.2.1:434","ingress":"ha2",' +
  '"identification":"0xeeae4567dcd51000"}],"replayableUntilMs":1790000015000,"retainUntilMs":null,"reservedUntilMs":0},' +
  '"ownership":{"owner":"ha1","backups":["ha2"],"generation":4}}';

const uint32 = fc.integer({ min: 0, max: 0xffffffff });
const address = uint32.map((value) => value as Ipv4Address);
const identification = fc.bigInt({ min: 0n, max: 0xffffffffffffffffn });
const time = fc.double({ min: 0, max: 1e14, noNaN: true });
const timeOrNever = fc.oneof(time, fc.constant(Number.POSITIVE_INFINITY));
const text = fc.string({ unit: "binary", maxLength: 40 });
const uint16 = fc.integer({ min: 0, max: 0xffff });
const careOfBinding: fc.Arbitrary<CareOfBinding> = fc.record({
  careOfAddress: address,
  flags: fc.integer({ min: 0, max: 0xff }),
  lifetimeSeconds: uint16,
  expiresAtMs: timeOrNever,
  foreignAgent: fc.record({ address, port: uint16 }),
  ingress: text,
  identification,
});
const name = fc.record({
  homeAddress: address,
  nai: fc.option(fc.string({ unit: "binary", minLength: 1 }), { nil: undefined }),
});
const named = fc.record({
  homeAddressSinceMs: time,
  dynamic: fc.boolean(),
  createdAtMs: time,
  registration: fc.record({
    identification,
    replayStyle: fc.constantFrom("timestamps" as const, "nonces" as const),
    authenticator: text,
    association: text,
    code: fc.integer({ min: 0, max: 255 }),
    lifetimeSeconds: uint16,
    acceptedAtMs: time,
    counter: fc.nat(),
    replayResets: fc.nat(),
    forgottenUntilMs: fc.maxSafeNat(),
    decidedBy: fc.string(),
    careOfAddresses: fc.array(careOfBinding, { maxLength: 3 }),
    replayableUntilMs: time,
    retainUntilMs: timeOrNever,
    reservedUntilMs: timeOrNever,
  }),
  ownership: fc.record({ owner: text, backups: fc.array(text, { maxLength: 3 }), generation: fc.nat() }),
});
const binding: fc.Arbitrary<Binding> = fc.tuple(name, named).map(([{ homeAddress, nai }, rest]) => {
  const mobile: MobileKey = nai === undefined ? `ip:${formatIpv4(homeAddress)}` : `nai:${nai}`;
  return { mobile, homeAddress, nai, ...rest };
});

test("a row is written as documented", () => {
  expect(encodeBindingRow(BINDING)).toBe(ROW);
  expect(decodeBindingRow(ROW)).toEqual(BINDING);
});

test("any binding comes back from its row as it was", () => {
  fc.assert(
    fc.property(binding, (original) => {
      expect(decodeBindingRow(encodeBindingRow(original))).toEqual(original);
    }),
  );
});

test("fields that a later version added are ignored", () => {
  expect(decodeBindingRow(`{"added":1,${ROW.slice(1)}`)).toEqual(BINDING);
});

describe("a row that cannot be right is refused with the field at fault", () => {
  test.each([
    ["", "not JSON", () => "{"],
    ["", "not an object", () => "null"],
    ["mobile", "no kind", () => edited("mobile", '"bob"')],
    ["mobile", "of another mobile", () => edited("mobile", '"nai:ann@example.com"')],
    ["mobile", "of an address, with an NAI", () => edited("mobile", '"ip:10.79.1.0"')],
    ["mobile", "of an NAI, without it", () => edited("nai", "null")],
    [
      "mobile",
      "of another address",
      () => ROW.replaceAll('"nai:bob@example.com"', '"ip:10.79.1.1"').replace('"bob@example.com"', "null"),
    ],
    ["homeAddress", "no address", () => edited("homeAddress", '"10.79.1"')],
    ["nai", "no text", () => edited("nai", "7")],
    ["dynamic", "no flag", () => edited("dynamic", "1")],
    ["registration", "no object", () => ROW.replace('"registration":{', '"registration":null,"x":{')],
    ["registration.identification", "too short", () => edited("identification", '"0x1"')],
    ["registration.replayStyle", "unknown", () => edited("replayStyle", '"none"')],
    ["registration.code", "negative", () => edited("code", "-1")],
    ["registration.lifetimeSeconds", "no integer", () => edited("lifetimeSeconds", "1.5")],
    ["registration.acceptedAtMs", "no time", () => edited("acceptedAtMs", "null")],
    ["registration.careOfAddresses", "no list", () => ROW.replace('"careOfAddresses":[', '"careOfAddresses":{},"x":[')],
    ["registration.careOfAddresses[0].foreignAgent", "no port", () => edited("foreignAgent", '"192.0.2.1"')],
    ["registration.careOfAddresses[0].foreignAgent", "a large port", () => edited("foreignAgent", '"192.0.2.1:65536"')],
    ["registration.careOfAddresses[0].expiresAtMs", "no time", () => edited("expiresAtMs", '"soon"')],
    ["registration.retainUntilMs", "no time", () => edited("retainUntilMs", "true")],
    ["ownership.owner", "no text", () => edited("owner", "null")],
    ["ownership.backups[0]", "no text", () => ROW.replace('["ha2"]', "[2]")],
    ["ownership.generation", "missing", () => edited("generation", undefined)],
  ] satisfies [string, string, () => string][])("%s: %s", (field, _what, row) => {
    const refused = expect(() => decodeBindingRow(row()));
    refused.toThrow(BindingRowError);
    refused.toThrow(expect.objectContaining({ field }));
  });

  test("whatever is cut out of a row, it is refused by a BindingRowError or means the same", () => {
    fc.assert(
      fc.property(fc.nat(ROW.length - 1), fc.nat(ROW.length), (start, length) => {
        try {
          decodeBindingRow(ROW.slice(0, start) + ROW.slice(start + length));
        } catch (error) {
          expect(error).toBeInstanceOf(BindingRowError);
        }
      }),
    );
  });
});

/** The row with the first field of that name changed, or left out. */
function edited(field: string, json: string | undefined): string {
  const pattern = new RegExp(`"${field}":("[^"]*"|[^,}\\]]*)`);
  expect(ROW).toMatch(pattern);
  return ROW.replace(pattern, json === undefined ? '"x":0' : `"${field}":${json}`);
}
