import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ipv4, UNSPECIFIED } from "../../src/core/wire/ipv4.ts";
import { MessageWriter } from "../../src/core/wire/message-writer.ts";
import { encodeRequestFields, RequestFlag } from "../../src/core/wire/registration-message.ts";
import { ForeignAgent, type ForeignAgentOutput, type ForeignAgentSettings } from "../../src/mobile/foreign-agent.ts";
import type { ForeignAgentPolicy } from "../../src/mobile/foreign-agent-checks.ts";
import { isAuthenticated, naiOf } from "../../src/mobile/mobile-messages.ts";
import {
  association,
  foreignAgentAddress,
  foreignHome,
  homeAddress,
  homeAgent,
  mobileForeign,
  mobileHome,
  type ReplyChanges,
  readReply,
  readRequest,
  replyTo,
  request,
  requestFields,
  typesOf,
} from "./fixtures.ts";

const NOW = Date.UTC(2026, 10, 23);
const mobile = { address: ipv4("198.51.100.7"), port: 40_000 };
const own = { address: foreignAgentAddress, port: 434 };
const forMobiles = { address: ipv4("198.51.100.1"), port: 434 };
const homeAgentEndpoint = { address: homeAgent, port: 434 };

const policy: ForeignAgentPolicy = {
  careOfAddress: foreignAgentAddress,
  maximumLifetimeSeconds: 1800,
  minimalEncapsulation: false,
  greEncapsulation: true,
  homeAgentAssociation: undefined,
  mobileAssociation: undefined,
};

function foreignAgent(changes: Partial<ForeignAgentPolicy> = {}, limits: Partial<ForeignAgentSettings> = {}) {
  return new ForeignAgent({
    policy: { ...policy, ...changes },
    listen: [forMobiles],
    relayFrom: own,
    homeAgentPort: 434,
    maximumPending: 5,
    maximumVisitors: 5,
    ...limits,
  });
}

const fromMobile = (payload: Uint8Array) => ({ payload, source: mobile, local: forMobiles });
const fromHomeAgent = (payload: Uint8Array) => ({ payload, source: homeAgentEndpoint, local: own });

/** The only datagram among the outputs. */
function onlySent(outputs: readonly ForeignAgentOutput[]) {
  const [datagram, ...others] = outputs.filter((output) => output.kind === "send");
  if (datagram === undefined || others.length > 0) throw new Error(`${outputs.length} outputs`);
  return datagram;
}

/** Relays a request, and the reply of a home agent that accepts except for the changes; answers what the mobile gets. */
function exchange(agent: ForeignAgent, payload: Uint8Array, changes: ReplyChanges = {}, nowMs = NOW) {
  const relayed = onlySent(agent.received(fromMobile(payload), nowMs));
  return agent.received(fromHomeAgent(replyTo(relayed.payload, changes)), nowMs);
}

describe("a request", () => {
  test("goes on to the home agent unchanged, from the care-of address", () => {
    const payload = request();
    const relayed = onlySent(foreignAgent().received(fromMobile(payload), NOW));
    expect(relayed).toEqual({ kind: "send", payload, from: own, to: homeAgentEndpoint });
  });

  test("loses what stands after the home agent's part, and gets our signature", () => {
    const agent = foreignAgent({ homeAgentAssociation: foreignHome, mobileAssociation: mobileForeign });
    const forForeignAgent = new MessageWriter(request()).append(145, new Uint8Array(3)).finish();
    const signed = request({ nai: "alice@example.com", mobileForeign });
    const relayed = readRequest(onlySent(agent.received(fromMobile(signed), NOW)).payload);
    expect(typesOf(relayed)).toEqual([131, 32, 34]);
    expect(isAuthenticated(relayed, 32, mobileHome)).toBe(true);
    expect(isAuthenticated(relayed, 34, foreignHome)).toBe(true);
    const unsigned = onlySent(foreignAgent().received(fromMobile(forForeignAgent), NOW));
    expect(typesOf(readRequest(unsigned.payload))).toEqual([32]);
  });

  test.each([
    ["a deregistration", { lifetimeSeconds: 0 }],
    ["another care-of address than ours", { flags: RequestFlag.D, careOfAddress: mobile.address }],
  ])("is not vouched for if it is %s (RFC 5944 3.5.4)", (_what, changes) => {
    const agent = foreignAgent({ homeAgentAssociation: foreignHome });
    const relayed = onlySent(agent.received(fromMobile(request(changes)), NOW));
    expect(typesOf(readRequest(relayed.payload))).toEqual([32]);
  });

  test("is logged", () => {
    expect(foreignAgent().received(fromMobile(request({ nai: "alice@example.com" })), NOW)).toContainEqual({
      kind: "log",
      entry: {
        time: "2026-11-23T00:00:00.000Z",
        event: "request-relayed",
        mobile: "198.51.100.7:40000",
        homeAddress: "10.64.1.5",
        nai: "alice@example.com",
        homeAgent: "10.64.0.1",
        careOfAddress: "192.0.2.9",
        identification: "0xeeae4567dcd51000",
        lifetime: 600,
      },
    });
  });
});

describe("a request that is denied", () => {
  const noGre = { greEncapsulation: false };
  const keyed = { mobileAssociation: mobileForeign };
  const withoutSignature = encodeRequestFields(requestFields);
  const criticalVendor = { vendorId: 9, vendorType: 1, value: new Uint8Array() };
  const vendorForUs = new MessageWriter(request()).appendVendor("critical", criticalVendor).finish();
  const malformed = Uint8Array.from([...request(), 131, 0]);

  test.each([
    ["not signed for us", keyed, request(), 67],
    ["signed for us with another key", keyed, request({ mobileForeign: association(400, "other") }), 67],
    ["not signed for the home agent", {}, withoutSignature, 70],
    ["an extension is malformed", {}, malformed, 70],
    ["a vendor extension for us", {}, vendorForUs, 100],
    ["neither home address nor NAI", {}, request({ homeAddress: UNSPECIFIED }), 96],
    ["no home agent", {}, request({ homeAgent: UNSPECIFIED }), 90],
    ["any home agent", {}, request({ homeAgent: ipv4("255.255.255.255") }), 90],
    ["we are the home agent", {}, request({ homeAgent: forMobiles.address }), 194],
    ["an endless lifetime", {}, request({ lifetimeSeconds: 0xffff }), 69],
    ["another foreign agent's care-of address", {}, request({ careOfAddress: mobile.address }), 77],
    ["minimal encapsulation", {}, request({ flags: RequestFlag.M }), 72],
    ["GRE encapsulation", noGre, request({ flags: RequestFlag.G }), 72],
  ])("%s", (_what, changes, payload, code) => {
    const agent = foreignAgent(changes);
    const denial = onlySent(agent.received(fromMobile(payload), NOW));
    expect(denial).toMatchObject({ from: forMobiles, to: mobile });
    const reply = readReply(denial.payload);
    const asked = readRequest(payload);
    const { homeAddress, homeAgent, identification } = asked;
    const lifetimeSeconds = code === 69 ? policy.maximumLifetimeSeconds : asked.lifetimeSeconds;
    expect(reply).toMatchObject({ code, homeAddress, homeAgent, identification, lifetimeSeconds });
    expect(agent.counters).toMatchObject({ requestsRelayed: 0, denied: { [code]: 1 } });
    expect(agent.pendingCount).toBe(0);
  });

  test.each([
    ["GRE that the mobile undoes itself", noGre, request({ flags: RequestFlag.G | RequestFlag.D })],
    [
      "deregistering with another agent's care-of address",
      {},
      request({ lifetimeSeconds: 0, careOfAddress: homeAddress }),
    ],
    ["a vendor extension for the home agent", {}, vendorForHomeAgent()],
    ["the reserved bits", {}, request({ flags: 0x05 })],
    ["the longest lifetime", {}, request({ lifetimeSeconds: 1800 })],
    ["an NAI instead of a home address", {}, request({ homeAddress: UNSPECIFIED, nai: "alice@example.com" })],
  ])("but not for %s", (_what, changes, payload) => {
    expect(onlySent(foreignAgent(changes).received(fromMobile(payload), NOW)).to).toEqual(homeAgentEndpoint);
  });

  function vendorForHomeAgent(): Uint8Array {
    return new MessageWriter(encodeRequestFields(requestFields))
      .appendVendor("critical", criticalVendor)
      .appendAuthentication(32, 256, () => new Uint8Array(16))
      .finish();
  }

  test("is answered with the NAI, and signed where the mobile expects it", () => {
    const agent = foreignAgent(keyed);
    const payload = request({ nai: "alice@example.com", mobileForeign, lifetimeSeconds: 0xffff });
    const reply = readReply(onlySent(agent.received(fromMobile(payload), NOW)).payload);
    expect(naiOf(reply)).toBe("alice@example.com");
    expect(isAuthenticated(reply, 33, mobileForeign)).toBe(true);
  });

  test("is answered once a second, each mobile for itself", () => {
    const agent = foreignAgent();
    const denied = (address: string, nowMs: number) =>
      agent.received(fromMobile(request({ homeAddress: ipv4(address), lifetimeSeconds: 0xffff })), nowMs).length;
    expect(denied("10.64.1.5", NOW)).toBe(2);
    expect(denied("10.64.1.5", NOW + 999)).toBe(0);
    expect(denied("10.64.1.6", NOW + 999)).toBe(2);
    expect(denied("10.64.1.5", NOW + 1000)).toBe(2);
    expect(agent.counters.dropped).toEqual({ "denial-rate": 1 });
  });
});

describe("what is no request is dropped and counted", () => {
  test.each([
    ["nothing", new Uint8Array(), "truncated-message"],
    ["another type", Uint8Array.of(7, 0, 0, 0), "unknown-message-type"],
    ["a cut-off request", request().subarray(0, 23), "truncated-message"],
    ["an extension that must be understood", Uint8Array.from([...request(), 44, 0]), "unsupported-extension-44"],
    ["a cut-off reply", Uint8Array.of(3, 0), "truncated-message"],
    ["a reply to nothing", replyTo(request()), "unmatched-reply"],
  ])("%s", (_what, payload, reason) => {
    const agent = foreignAgent();
    expect(agent.received(fromMobile(payload), NOW)).toEqual([]);
    expect(agent.counters.dropped).toEqual({ [reason]: 1 });
  });

  test("whatever the bytes", () => {
    const agent = foreignAgent();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.constantFrom(1, 3), (bytes, type) => {
        agent.received(fromMobile(Uint8Array.from([type, ...bytes])), NOW);
        expect(agent.pendingCount).toBeLessThanOrEqual(5);
      }),
    );
  });
});

describe("a reply", () => {
  test("goes to where the request came from, from where it came to", () => {
    const agent = foreignAgent();
    const delivered = onlySent(exchange(agent, request()));
    expect(delivered).toMatchObject({ from: forMobiles, to: mobile });
    expect(readReply(delivered.payload)).toMatchObject({ code: 0, homeAddress });
    expect(agent.counters).toMatchObject({ requestsRelayed: 1, repliesRelayed: 1 });
    expect(agent.pendingCount).toBe(0);
  });

  test("loses the home agent's signature for us, and gets ours for the mobile", () => {
    const agent = foreignAgent({ homeAgentAssociation: foreignHome, mobileAssociation: mobileForeign });
    const delivered = onlySent(exchange(agent, request({ mobileForeign }), { foreignHome }));
    const reply = readReply(delivered.payload);
    expect(typesOf(reply)).toEqual([32, 33]);
    expect(isAuthenticated(reply, 32, mobileHome)).toBe(true);
    expect(isAuthenticated(reply, 33, mobileForeign)).toBe(true);
  });

  test("is logged with what it grants", () => {
    expect(exchange(foreignAgent(), request(), { lifetimeSeconds: 300 })).toContainEqual({
      kind: "log",
      entry: expect.objectContaining({ event: "reply-relayed", homeAddress: "10.64.1.5", lifetime: 300, code: 0 }),
    });
  });

  test("is delivered once", () => {
    const agent = foreignAgent();
    const relayed = onlySent(agent.received(fromMobile(request()), NOW));
    const reply = fromHomeAgent(replyTo(relayed.payload));
    expect(agent.received(reply, NOW).filter(({ kind }) => kind === "send")).toHaveLength(1);
    expect(agent.received(reply, NOW)).toEqual([]);
  });

  test("with other low bits in the Identification is nobody's", () => {
    expect(exchange(foreignAgent(), request(), { identification: 0xeeae4567_00000000n })).toEqual([]);
  });

  test("with other high bits is the mobile's business", () => {
    expect(exchange(foreignAgent(), request(), { code: 133, identification: 0x11111111_dcd51000n })).toHaveLength(2);
  });

  test("after the requested lifetime is over is nobody's", () => {
    const agent = foreignAgent();
    const relayed = onlySent(agent.received(fromMobile(request({ lifetimeSeconds: 2 })), NOW));
    expect(agent.received(fromHomeAgent(replyTo(relayed.payload)), NOW + 2001)).toEqual([]);
  });
});

describe("a reply that is not passed on", () => {
  const shared = { homeAgentAssociation: foreignHome };
  const wrongKey = association(300, "other");
  test.each([
    ["the home agent did not sign for us", shared, {}, 68],
    ["the home agent signed with another key", shared, { foreignHome: wrongKey }, 68],
    ["a denial with a wrong signature", shared, { code: 129, foreignHome: wrongKey }, 68],
    ["the NAI was forgotten", {}, { nai: undefined }, 97],
    ["no home agent in it", {}, { homeAgent: UNSPECIFIED }, 98],
    ["no home address in it", {}, { homeAddress: UNSPECIFIED }, 99],
  ])("%s", (_what, changes, reply, code) => {
    const agent = foreignAgent(changes);
    const payload = request({ homeAddress: UNSPECIFIED, nai: "alice@example.com" });
    const delivered = onlySent(exchange(agent, payload, { homeAddress, ...reply }));
    expect(readReply(delivered.payload).code).toBe(code);
    expect(typesOf(readReply(delivered.payload))).toEqual([131]);
    expect(agent.visitors).toEqual([]);
    expect(agent.pendingCount).toBe(0);
  });

  test.each([
    ["a denial without a signature", { code: 129 }],
    ["a deregistration without one", { lifetimeSeconds: 0 }],
    ["an acceptance with one", { foreignHome }],
  ])("but %s is", (_what, reply) => {
    const delivered = onlySent(exchange(foreignAgent(shared), request(), reply));
    expect(readReply(delivered.payload).code).toBe("code" in reply ? reply.code : 0);
  });

  test("an extension is malformed", () => {
    const agent = foreignAgent();
    const relayed = onlySent(agent.received(fromMobile(request()), NOW));
    const malformed = Uint8Array.from([...replyTo(relayed.payload), 131, 0]);
    expect(readReply(onlySent(agent.received(fromHomeAgent(malformed), NOW)).payload).code).toBe(71);
  });

  test("a vendor extension for us", () => {
    const agent = foreignAgent();
    const relayed = onlySent(agent.received(fromMobile(request()), NOW));
    const vendor = { vendorId: 9, vendorType: 1, value: new Uint8Array() };
    const reply = new MessageWriter(replyTo(relayed.payload)).appendVendor("critical", vendor).finish();
    expect(readReply(onlySent(agent.received(fromHomeAgent(reply), NOW)).payload).code).toBe(101);
  });
});

describe("whom a reply is for", () => {
  const alice = { address: ipv4("198.51.100.10"), port: 1 };
  const bob = { address: ipv4("198.51.100.11"), port: 2 };
  const send = (agent: ForeignAgent, source: typeof alice, payload: Uint8Array) =>
    onlySent(agent.received({ payload, source, local: own }, NOW)).payload;
  const deliver = (agent: ForeignAgent, reply: Uint8Array) => onlySent(agent.received(fromHomeAgent(reply), NOW)).to;

  test("the same home address and Identification: the NAI decides", () => {
    const agent = foreignAgent();
    send(agent, alice, request({ nai: "alice@example.com" }));
    const ofBob = send(agent, bob, request({ nai: "bob@example.com" }));
    expect(deliver(agent, replyTo(ofBob))).toEqual(bob);
  });

  test("no home address yet: the NAI decides, its realm in any case", () => {
    const agent = foreignAgent();
    const ofAlice = send(agent, alice, request({ homeAddress: UNSPECIFIED, nai: "alice@example.com" }));
    send(agent, bob, request({ homeAddress: UNSPECIFIED, nai: "bob@example.com" }));
    expect(deliver(agent, replyTo(ofAlice, { homeAddress, nai: "alice@EXAMPLE.com" }))).toEqual(alice);
  });

  test("no NAI in the reply, and two it could be for: nobody", () => {
    const agent = foreignAgent();
    const ofAlice = send(agent, alice, request({ homeAddress: UNSPECIFIED, nai: "alice@example.com" }));
    send(agent, bob, request({ homeAddress: UNSPECIFIED, nai: "bob@example.com" }));
    expect(agent.received(fromHomeAgent(replyTo(ofAlice, { homeAddress, nai: undefined })), NOW)).toEqual([]);
  });

  test("a mobile that repeats its request from elsewhere gets the reply there, once", () => {
    const agent = foreignAgent();
    send(agent, alice, request());
    const repeated = send(agent, bob, request());
    expect(agent.pendingCount).toBe(1);
    expect(deliver(agent, replyTo(repeated))).toEqual(bob);
    expect(agent.received(fromHomeAgent(replyTo(repeated)), NOW)).toEqual([]);
  });
});

describe("the visitor list", () => {
  const visitor = {
    homeAddress,
    nai: undefined,
    homeAgent,
    careOfAddress: foreignAgentAddress,
    mobile,
    flags: 0,
    lifetimeSeconds: 300,
    expiresAtMs: NOW + 300_000,
  };
  const granted = { lifetimeSeconds: 300 };
  const renewal = { identification: 0xeeae4567_dcd52000n };

  test("has who was accepted, until the granted lifetime is over", () => {
    const agent = foreignAgent();
    exchange(agent, request(), granted);
    expect(agent.visitors).toEqual([visitor]);
    agent.tick(NOW + 299_999);
    expect(agent.visitors).toHaveLength(1);
    agent.tick(NOW + 300_000);
    expect(agent.visitors).toEqual([]);
  });

  test("tells who arrives before its reply is sent, with what was accepted", () => {
    const outputs = exchange(foreignAgent(), request({ flags: RequestFlag.T }), granted);
    expect(outputs.map(({ kind }) => kind)).toEqual(["arrived", "send", "log"]);
    expect(outputs[0]).toEqual({ kind: "arrived", visitor: { ...visitor, flags: RequestFlag.T } });
  });

  test("tells who departs: by a deregistration, or when the lifetime is over", () => {
    const agent = foreignAgent();
    exchange(agent, request(), granted);
    expect(exchange(agent, request({ ...renewal, lifetimeSeconds: 0 }))).toContainEqual({ kind: "departed", visitor });
    exchange(agent, request(), granted);
    expect(agent.tick(NOW + 299_999)).toEqual([]);
    expect(agent.tick(NOW + 300_000)).toEqual([{ kind: "departed", visitor }]);
  });

  test("tells nobody of a mobile that was denied, or that was never here", () => {
    const agent = foreignAgent();
    const kinds = (outputs: readonly ForeignAgentOutput[]) => outputs.map(({ kind }) => kind);
    expect(kinds(exchange(agent, request(), { code: 129 }))).toEqual(["send", "log"]);
    expect(kinds(exchange(agent, request({ ...renewal, lifetimeSeconds: 0 })))).toEqual(["send", "log"]);
  });

  test("is not changed by a request, only by its acceptance", () => {
    const agent = foreignAgent();
    exchange(agent, request(), granted);
    const relayed = onlySent(agent.received(fromMobile(request({ ...renewal, lifetimeSeconds: 0 })), NOW));
    expect(agent.visitors).toEqual([visitor]);
    agent.received(fromHomeAgent(replyTo(relayed.payload, { code: 129 })), NOW);
    expect(agent.visitors).toEqual([visitor]);
    exchange(agent, request({ ...renewal, lifetimeSeconds: 0 }));
    expect(agent.visitors).toEqual([]);
  });

  test("a reply can't grant more than was asked for", () => {
    const agent = foreignAgent();
    exchange(agent, request(), { lifetimeSeconds: 0xffff });
    expect(agent.visitors).toMatchObject([{ lifetimeSeconds: 600 }]);
  });

  test("an infinite lifetime does not end", () => {
    const agent = foreignAgent({ maximumLifetimeSeconds: 0xffff });
    exchange(agent, request({ lifetimeSeconds: 0xffff }));
    expect(agent.visitors).toMatchObject([{ expiresAtMs: Number.POSITIVE_INFINITY }]);
  });

  test("a dynamic home address is that of the reply", () => {
    const agent = foreignAgent();
    exchange(agent, request({ homeAddress: UNSPECIFIED, nai: "alice@example.com" }), { homeAddress });
    expect(agent.visitors).toMatchObject([{ homeAddress, nai: "alice@example.com" }]);
  });

  test("is bounded; who is on it may renew", () => {
    const agent = foreignAgent({}, { maximumVisitors: 1 });
    exchange(agent, request());
    const denial = onlySent(agent.received(fromMobile(request({ homeAddress: ipv4("10.64.1.6") })), NOW));
    expect(readReply(denial.payload).code).toBe(66);
    expect(onlySent(agent.received(fromMobile(request(renewal)), NOW)).to).toEqual(homeAgentEndpoint);
  });
});

describe("requests without an answer", () => {
  const ofMobile = (index: number) => request({ homeAddress: ipv4(`10.64.1.${index}`) });

  test("are bounded: one more is denied (66)", () => {
    const agent = foreignAgent({}, { maximumPending: 2, maximumVisitors: 10 });
    agent.received(fromMobile(ofMobile(1)), NOW);
    agent.received(fromMobile(ofMobile(2)), NOW);
    expect(readReply(onlySent(agent.received(fromMobile(ofMobile(3)), NOW)).payload).code).toBe(66);
    expect(agent.pendingCount).toBe(2);
  });

  test("are denied after 7 seconds (78)", () => {
    const agent = foreignAgent();
    agent.received(fromMobile(ofMobile(1)), NOW);
    agent.received(fromMobile(ofMobile(2)), NOW + 1);
    expect(agent.tick(NOW + 6999)).toEqual([]);
    const timeout = onlySent(agent.tick(NOW + 7000));
    expect(timeout).toMatchObject({ from: forMobiles, to: mobile });
    expect(readReply(timeout.payload)).toMatchObject({ code: 78, homeAddress: ipv4("10.64.1.1") });
    expect(agent.pendingCount).toBe(1);
  });

  test.each([
    ["ENETUNREACH", 80],
    ["EHOSTUNREACH", 81],
    ["ECONNREFUSED", 82],
    ["EPERM", 88],
  ])("are denied when the system says %s", (errorCode, code) => {
    const agent = foreignAgent();
    agent.received(fromMobile(ofMobile(1)), NOW);
    expect(agent.sendFailed({ address: ipv4("10.99.0.1"), port: 434 }, errorCode, NOW)).toEqual([]);
    const denial = onlySent(agent.sendFailed(homeAgentEndpoint, errorCode, NOW));
    expect(readReply(denial.payload).code).toBe(code);
    expect(agent.pendingCount).toBe(0);
  });
});
