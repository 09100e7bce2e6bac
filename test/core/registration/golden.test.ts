/** A request and its key made by an independent implementation, checked with openssl; our encoder has no part in it. */
import { Buffer } from "node:buffer";
import { createSecretKey } from "node:crypto";
import { expect, test } from "vitest";
import { AssociationTable } from "../../../src/core/auth/association-table.ts";
import { RegistrationEngine } from "../../../src/core/registration/engine.ts";
import { formatIpv4, ipv4 } from "../../../src/core/wire/ipv4.ts";
import { epochMsFromNtp } from "../../../src/core/wire/ntp-timestamp.ts";
import { decodeRegistrationReply, decodeRegistrationRequest } from "../../../src/core/wire/registration-message.ts";
import { POLICY, START_MS } from "./rig.ts";

const DATAGRAM = Buffer.from(
  "012802580a0900050a0900010a080009eeae4567dcd51000201400000100491cd39e48003cc2d3a632a71672fedb",
  "hex",
);

test("a request made by an independent implementation is accepted", () => {
  const decoded = decodeRegistrationRequest(DATAGRAM);
  if (!decoded.ok) throw new Error(decoded.fault.reason);
  const engine = new RegistrationEngine({
    self: "ha1",
    policy: { ...POLICY, virtualAddress: ipv4("10.9.0.1"), homeNetworks: [{ address: ipv4("10.9.0.0"), length: 24 }] },
    associations: new AssociationTable(
      [
        {
          spi: 256,
          algorithm: "hmac-md5",
          key: new TextEncoder().encode("1234567812345678"),
          replay: { style: "timestamps", windowMs: 7000 },
          mobiles: { by: "home-addresses", range: { first: ipv4("10.9.0.5"), last: ipv4("10.9.0.5") } },
        },
      ],
      [],
    ),
    nonceKey: createSecretKey(new Uint8Array(32)),
  });
  const decision = engine.decide(decoded.message, {
    source: { address: ipv4("10.8.0.9"), port: 434 },
    destination: { address: ipv4("10.9.0.1"), port: 434 },
    ingress: "ha1",
    current: undefined,
    mustAsk: () => false,
    homeAddressHolder: () => undefined,
    ownership: { owner: "ha1", backups: [], generation: 1 },
    canAccept: true,
    runningMs: Number.POSITIVE_INFINITY,
    nowMs: epochMsFromNtp(0xeeae4567dcd51000n, START_MS) + 1000,
  });
  expect(decision.outcome).toBe("accepted");
  const reply = decodeRegistrationReply("reply" in decision ? decision.reply : new Uint8Array(0));
  if (!reply.ok) throw new Error(reply.fault.reason);
  expect(reply.message).toMatchObject({ code: 0, lifetimeSeconds: 600, identification: 0xeeae4567dcd51000n });
  expect(formatIpv4(reply.message.homeAddress)).toBe("10.9.0.5");
});
