/** RFC 5944 3.8.2.1: who may register, and who is not even answered. */
import { describe, expect, test } from "vitest";
import { ExtensionType } from "../../../src/core/wire/extension.ts";
import { MessageWriter } from "../../../src/core/wire/message-writer.ts";
import { encodeRequestFields } from "../../../src/core/wire/registration-message.ts";
import { associationOf, FA1, FA2, FOREIGN_AGENT_KEYS, KEYS, Rig, sign, TRUSTED_FA } from "./rig.ts";
import { ACCEPTED, denied, discarded, play } from "./scenario.ts";

const WRONG_KEY = { ...KEYS.timestamps, key: "not the right one" };
const UNKNOWN_SPI = { ...KEYS.timestamps, spi: 299 };
const [firstKey, secondKey] = FOREIGN_AGENT_KEYS;
const wrongForeignAgentKey = { spi: 1000, algorithm: "hmac-md5", key: new Uint8Array(16) } as const;
if (firstKey === undefined || secondKey === undefined) throw new Error("two keys of foreign agents are needed");

describe("a: the mobile node's authentication", () => {
  play([
    {
      rule: "a request with a valid Mobile-Home Authentication Extension is accepted",
      steps: [{ send: {}, expect: { ...ACCEPTED, careOf: [FA1] } }],
    },
    {
      rule: "a mobile without a security association is discarded silently",
      steps: [{ send: { home: "10.80.0.1" }, expect: discarded("unknown-mobile") }],
    },
    {
      rule: "a request with neither a home address nor an NAI is nobody's and discarded silently",
      steps: [{ send: { home: "0.0.0.0", credential: KEYS.wide }, expect: discarded("unknown-mobile") }],
    },
    {
      rule: "an invalid authenticator is answered 131 where no foreign agent could vouch for the request",
      steps: [{ send: { credential: WRONG_KEY }, expect: { ...denied(131, "mobile-authentication"), careOf: [] } }],
    },
    {
      rule: "an SPI that the mobile does not have is answered 131",
      steps: [{ send: { credential: UNKNOWN_SPI }, expect: denied(131, "mobile-authentication") }],
    },
    {
      rule: "an invalid authenticator is answered 131 where the foreign agent vouches for the request",
      steps: [{ send: { credential: WRONG_KEY, careOf: TRUSTED_FA }, expect: denied(131, "mobile-authentication") }],
    },
    {
      rule: "an invalid authenticator is not answered where the foreign agent should have vouched for it and did not",
      steps: [
        {
          send: { credential: WRONG_KEY, careOf: TRUSTED_FA, foreignAgentKeys: [] },
          expect: discarded("authentication-failure-unvouched"),
        },
        {
          send: { credential: WRONG_KEY, careOf: TRUSTED_FA, foreignAgentKeys: [wrongForeignAgentKey] },
          expect: discarded("authentication-failure-unvouched"),
        },
        {
          send: { credential: WRONG_KEY, careOf: TRUSTED_FA, lifetime: 0 },
          expect: discarded("authentication-failure-unvouched"),
        },
      ],
    },
    {
      rule: "an invalid authenticator with a Foreign-Home Authentication Extension of a stranger is not answered",
      steps: [
        {
          send: { credential: WRONG_KEY, foreignAgentKeys: [firstKey] },
          expect: discarded("unexpected-foreign-home-authentication"),
        },
      ],
    },
    {
      rule: "invalid authentications are answered at a limited rate, except those that a foreign agent vouches for",
      policy: { authenticationFailureRepliesPerSecond: 2 },
      steps: [
        { send: { credential: WRONG_KEY }, expect: denied(131, "mobile-authentication") },
        { send: { credential: WRONG_KEY }, expect: denied(131, "mobile-authentication") },
        { send: { credential: WRONG_KEY }, expect: discarded("authentication-failure-rate") },
        { send: { credential: WRONG_KEY, careOf: TRUSTED_FA }, expect: denied(131, "mobile-authentication") },
        { after: 0.5, send: { credential: WRONG_KEY }, expect: denied(131, "mobile-authentication") },
        { send: { credential: WRONG_KEY }, expect: discarded("authentication-failure-rate") },
      ],
    },
    {
      rule: "a rate of 0 has no invalid authentication answered",
      policy: { authenticationFailureRepliesPerSecond: 0 },
      steps: [{ send: { credential: WRONG_KEY }, expect: discarded("authentication-failure-rate") }],
    },
    {
      rule: "a mobile may use any association that it has, and is answered by the same",
      steps: [
        { send: { credential: KEYS.older }, expect: ACCEPTED },
        { send: { credential: KEYS.wide }, expect: ACCEPTED },
      ],
    },
  ]);

  test("a request without an authorization-enabling extension is discarded silently", () => {
    const rig = new Rig();
    const { request } = rig.send({});
    const bare = rig.receive(new MessageWriter(encodeRequestFields(request)).finish());
    expect(bare).toMatchObject(discarded("no-authentication-extension"));
  });

  test("a reply with 131 is signed with the association that the mobile most likely has", () => {
    const outcome = new Rig().send({ credential: UNKNOWN_SPI });
    const signature = outcome.reply?.extensions.find((extension) => extension.kind === "authentication");
    expect(signature?.spi).toBe(KEYS.timestamps.spi);
  });

  test("all of several Mobile-Home Authentication Extensions must be valid", () => {
    const rig = new Rig();
    const twice = (second: Parameters<typeof associationOf>[0]) => {
      const { request } = new Rig().send({});
      const writer = new MessageWriter(encodeRequestFields(request));
      sign(writer, ExtensionType.MobileHomeAuthentication, associationOf(KEYS.timestamps));
      sign(writer, ExtensionType.MobileHomeAuthentication, associationOf(second));
      return writer.finish();
    };
    expect(rig.receive(twice(WRONG_KEY))).toMatchObject(denied(131, "mobile-authentication"));
    expect(rig.receive(twice(KEYS.older))).toMatchObject(ACCEPTED);
  });

  test("changing any signed byte of a request makes its authentication fail", () => {
    const datagram = new Rig().datagram({ careOf: FA1 });
    // The type and length of the authentication extension are left alone: without it there is no request to speak of.
    for (const index of datagram.keys().filter((offset) => offset !== 0 && offset !== 24 && offset !== 25)) {
      const changed = Uint8Array.from(datagram);
      changed[index] = (changed[index] ?? 0) ^ 0x01;
      expect(new Rig().receive(changed).outcome, `byte ${index}`).not.toBe("accepted");
    }
  });
});

describe("a: whose key is good for whom", () => {
  play([
    {
      rule: "an NAI that has a key of its own is not proved by the key of its realm or of an address range",
      steps: [
        {
          send: { nai: "alice@example.com", home: "10.64.1.9", credential: KEYS.timestamps },
          expect: denied(131, "mobile-authentication"),
        },
        { send: { nai: "alice@example.com", credential: KEYS.alice }, expect: { ...ACCEPTED, home: "10.79.1.0" } },
        { send: { nai: "alice@example.com", credential: KEYS.roaming }, expect: denied(131, "mobile-authentication") },
        { send: { home: "10.79.1.0", credential: KEYS.wide }, expect: denied(131, "mobile-authentication") },
        { send: { home: "10.79.1.0", credential: KEYS.alice }, expect: { ...ACCEPTED, home: "10.79.1.0" } },
      ],
    },
    {
      rule: "a mobile that got its home address by its NAI is found by that address as well, with any key that is good for it",
      steps: [
        { send: { nai: "bob@example.com", credential: KEYS.roaming }, expect: { ...ACCEPTED, home: "10.79.1.0" } },
        { send: { home: "10.79.1.0", credential: KEYS.roaming, careOf: FA2 }, expect: { ...ACCEPTED, careOf: [FA2] } },
        { send: { home: "10.79.1.0", credential: KEYS.wide }, expect: { ...ACCEPTED, careOf: [FA1] } },
        { send: { nai: "bob@example.com", credential: KEYS.roaming }, expect: { ...ACCEPTED, home: "10.79.1.0" } },
      ],
    },
    {
      rule: "a mobile keeps its row when it first shows an NAI, if its key is good for the home address alone",
      steps: [
        { send: {}, expect: ACCEPTED },
        {
          send: { home: "10.64.1.1", nai: "carol@example.com", flags: "S", careOf: "192.0.2.7" },
          expect: { ...ACCEPTED, careOf: [FA1, "192.0.2.7"] },
        },
        { send: { flags: "S", careOf: "192.0.2.7" }, expect: { ...ACCEPTED, careOf: [FA1, "192.0.2.7"] } },
        {
          send: { home: "10.64.1.1", nai: "dave@example.com" },
          expect: denied(129, "home-address-taken"),
        },
      ],
    },
    {
      rule: "an NAI behind the authorization-enabling extension is not the mobile's",
      steps: [
        {
          send: { behind: [[ExtensionType.Nai, new TextEncoder().encode("mallory@example.com")]] },
          expect: { ...ACCEPTED, nai: undefined },
        },
      ],
    },
  ]);
});

describe("c: the foreign agent's authentication", () => {
  play([
    {
      rule: "a foreign agent that shares an association signs the request with any of its keys",
      steps: [
        { send: { careOf: TRUSTED_FA }, expect: ACCEPTED },
        { send: { careOf: TRUSTED_FA, foreignAgentKeys: [secondKey] }, expect: ACCEPTED },
      ],
    },
    {
      rule: "a missing, a second, or an invalid Foreign-Home Authentication Extension is answered 132",
      steps: [[], [firstKey, secondKey], [wrongForeignAgentKey], [{ ...firstKey, spi: 1002 }]].map(
        (foreignAgentKeys) => ({
          send: { careOf: TRUSTED_FA, foreignAgentKeys },
          expect: { ...denied(132, "foreign-agent-authentication"), careOf: [] },
        }),
      ),
    },
    {
      rule: "a deregistration is not refused because it carries no Foreign-Home Authentication Extension (3.5.4)",
      steps: [
        { send: { careOf: TRUSTED_FA }, expect: ACCEPTED },
        { send: { careOf: TRUSTED_FA, lifetime: 0 }, expect: { ...ACCEPTED, careOf: [] } },
      ],
    },
    {
      rule: "a deregistration that carries one all the same must carry a valid one",
      steps: [
        { send: { careOf: TRUSTED_FA, lifetime: 0, foreignAgentKeys: [firstKey] }, expect: ACCEPTED },
        {
          send: { careOf: TRUSTED_FA, lifetime: 0, foreignAgentKeys: [wrongForeignAgentKey] },
          expect: denied(132, "foreign-agent-authentication"),
        },
      ],
    },
    {
      rule: "a stale Identification is found before the foreign agent's failure",
      steps: [
        {
          send: { careOf: TRUSTED_FA, foreignAgentKeys: [], aheadMs: -60_000 },
          expect: denied(133, "identification-mismatch"),
        },
      ],
    },
  ]);

  test("the foreign agent is answered by the key that it used", () => {
    const signature = (foreignAgentKeys?: Parameters<Rig["send"]>[0]["foreignAgentKeys"]) =>
      new Rig()
        .send({ careOf: TRUSTED_FA, ...(foreignAgentKeys && { foreignAgentKeys }) })
        .reply?.extensions.filter((extension) => extension.kind === "authentication")
        .at(-1)?.spi;
    expect(signature()).toBe(1000);
    expect(signature([secondKey])).toBe(1001);
    expect(signature([])).toBe(1000);
  });
});

describe("d: a foreign agent without an association", () => {
  play([
    {
      rule: "a Foreign-Home Authentication Extension of a stranger has the request discarded, deregistrations as well",
      steps: [
        { send: { foreignAgentKeys: [firstKey] }, expect: discarded("unexpected-foreign-home-authentication") },
        {
          send: { foreignAgentKeys: [firstKey], lifetime: 0 },
          expect: discarded("unexpected-foreign-home-authentication"),
        },
      ],
    },
    {
      rule: "a Mobile-Foreign Authentication Extension that the foreign agent left in the request is ignored",
      steps: [
        {
          send: { behind: [[ExtensionType.MobileForeignAuthentication, new Uint8Array(20).fill(9)]] },
          expect: ACCEPTED,
        },
      ],
    },
  ]);
});
