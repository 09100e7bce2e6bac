/** Stream messages of any content. */
import fc from "fast-check";
import type { MobileKey } from "../../../src/core/names.ts";
import { DIGEST_BUCKETS, type StreamMessage } from "../../../src/core/protocol/stream-messages.ts";
import { formatIpv4, type Ipv4Address } from "../../../src/core/wire/ipv4.ts";

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const integer = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const time = fc.oneof(integer, fc.constant(Number.POSITIVE_INFINITY));
const address = u32.map((value) => value as Ipv4Address);
const endpoint = fc.record({ address, port: fc.integer({ min: 0, max: 0xffff }) });
const member = fc.oneof(fc.constantFrom("ha1", "ha2"), fc.string({ unit: "binary", minLength: 1, maxLength: 60 }));
const text = fc.string({ unit: "binary", maxLength: 300 });
const nai = fc.oneof(fc.constantFrom("alice@lädchen.example", "\ufeffbob@example.com", "x".repeat(300)), text);
const mobile = fc.oneof(
  nai.filter((value) => value !== "").map((value): MobileKey => `nai:${value}`),
  address.map((value): MobileKey => `ip:${formatIpv4(value)}`),
);
const mobiles = fc.array(mobile);
const number = integer;
const rows = fc.array(text);
const version = {
  mobile,
  replayResets: u32,
  signedTime: fc.bigInt({ min: -(2n ** 127n), max: 2n ** 127n - 1n }),
  counter: integer,
  acceptedAtMs: integer,
  decidedBy: member,
};

export const anyStreamMessage = fc.oneof(
  fc.record({ type: fc.constant("rows" as const), number, rows }),
  fc.record({ type: fc.constant("ack" as const), number }),
  fc.record({
    type: fc.constant("digests" as const),
    level: fc.boolean(),
    buckets: fc.array(u32, { minLength: DIGEST_BUCKETS, maxLength: DIGEST_BUCKETS }),
  }),
  fc.record({
    type: fc.constant("differing" as const),
    buckets: fc.array(fc.integer({ min: 0, max: DIGEST_BUCKETS - 1 })),
  }),
  fc.record({ type: fc.constant("synchronized" as const), number }),
  fc.record({
    type: fc.constant("owned" as const),
    entries: fc.array(fc.record({ mobile, generation: u32 })),
    last: fc.boolean(),
  }),
  fc.record({ type: fc.constant("owned-checked" as const) }),
  fc.record({
    type: fc.constant("moved" as const),
    mobile,
    homeAddress: address,
    nai: fc.option(
      nai.filter((value) => value !== ""),
      { nil: undefined },
    ),
    owner: member,
    backups: fc.array(member),
    generation: u32,
    knownUntilMs: time,
    homeAddressSinceMs: time,
  }),
  fc.record({
    type: fc.constant("holding" as const),
    of: member,
    versions: fc.array(fc.record(version)),
    last: fc.boolean(),
  }),
  fc.record({ type: fc.constant("want" as const), of: member, mobiles }),
  fc.record({ type: fc.constant("sent" as const), of: member }),
  fc.record({ type: fc.constant("handover" as const), rows }),
  fc.record({
    type: fc.constant("forget" as const),
    rows: fc.array(fc.record({ ...version, generation: u32 })),
  }),
  fc.record({ type: fc.constant("claim" as const), homeAddress: address, mobile, claimant: member }),
  fc.record({ type: fc.constant("holder" as const), homeAddress: address, mobile, sinceMs: time }),
  fc.record({
    type: fc.constant("temporary" as const),
    made: fc.array(
      fc.record({
        requestId: integer,
        minimumGeneration: u32,
        foreignAgent: endpoint,
        destination: endpoint,
        owner: member,
        request: fc.uint8Array({ maxLength: 300 }),
      }),
    ),
    ended: fc.array(integer),
  }),
) satisfies fc.Arbitrary<StreamMessage>;
