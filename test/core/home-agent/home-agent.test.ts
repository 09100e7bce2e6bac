import { describe, expect, it } from "vitest";
import { formatIpv4, ipv4 } from "../../../src/core/wire/ipv4.ts";
import { ReplyCode } from "../../../src/core/wire/reply-code.ts";
import { fromHex } from "../wire/golden.ts";
import { foreignAgent, type SentReply, TestCluster, virtualEndpoint } from "./test-cluster.ts";

function identity(homeAddress: string) {
  return { homeAddress: ipv4(homeAddress), nai: undefined };
}

function code(sent: SentReply | undefined): number | undefined {
  return sent?.reply.code;
}

describe("an extension that nothing is made of is counted by its type, once, where the request came in", () => {
  it.each([
    ["44, for which the request is dropped", "2c 00", 44, 1],
    ["200, which is skipped", "c8 02 0000", 200, 0],
    ["139, of a subtype that is not known", "8b 05 03 0a400001", 139, 0],
    ["134, of a vendor that is not known", "86 08 0000 00000009 0001", 134, 0],
  ])("%s", (_what, extension, type, dropped) => {
    const cluster = new TestCluster(3);
    const request = cluster.request({ homeAddress: cluster.homeAddressRanked("ha2") });
    cluster.datagram("ha1", Buffer.concat([request, fromHex(extension)]));
    expect(["ha1", "ha2", "ha3"].map((id) => cluster.count(id, `extensions-unsupported ${type}`))).toEqual([1, 0, 0]);
    expect(cluster.count("ha1", "datagrams-dropped unsupported-extension")).toBe(dropped);
    expect(cluster.replies).toHaveLength(1 - dropped);
  });
});

describe("a request whose ingress and owner differ", () => {
  it("becomes a temporary binding on the ingress while the owner writes it down", () => {
    const cluster = new TestCluster(3);
    const homeAddress = cluster.homeAddressRanked("ha2");
    cluster.commitAtOnce = false;
    expect(cluster.register("ha1", { homeAddress, careOfAddress: "192.0.2.1" })).toBeUndefined();
    const [temporary] = cluster.agent("ha1").temporaryBindings;
    expect(temporary).toMatchObject({
      homeAddress: ipv4(homeAddress),
      foreignAgent,
      owner: "ha2",
      careOfAddress: ipv4("192.0.2.1"),
    });
    expect(cluster.agent("ha1").findLocation(identity(homeAddress))).toBeUndefined();
  });

  it("gets a permanent binding on the ingress, with lifetime and home address from the reply, and its reply goes to the foreign agent", () => {
    const cluster = new TestCluster(3);
    const homeAddress = cluster.homeAddressRanked("ha2");
    const sent = cluster.register("ha1", { homeAddress, lifetime: 60_000 });
    expect(sent).toMatchObject({ from: "ha1", destination: foreignAgent, source: virtualEndpoint });
    expect(sent?.reply).toMatchObject({ code: 0, lifetimeSeconds: 1800, homeAgent: virtualEndpoint.address });
    expect(cluster.agent("ha1").counts).toMatchObject({ owned: 0, ingress: 1, temporary: 0 });
    expect(cluster.agent("ha1").findLocation(identity(homeAddress))).toMatchObject({
      homeAddress: ipv4(homeAddress),
      owner: "ha2",
      generation: 1,
      ingress: { foreignAgent, lifetimeSeconds: 1800, expiresAtMs: cluster.wallMs + 1_800_000 },
    });
    expect(cluster.agent("ha2").findBinding(identity(homeAddress))).toMatchObject({
      ownership: { owner: "ha2", generation: 1 },
      registration: { careOfAddresses: [{ foreignAgent, ingress: "ha1" }] },
    });
  });

  it("carries the home address that the owner assigned, to a mobile that is known by its NAI", () => {
    const cluster = new TestCluster(3);
    const nai = cluster.naiRanked("ha3");
    const sent = cluster.register("ha1", { nai, homeAddress: "0.0.0.0" });
    const assigned = sent?.reply.homeAddress ?? 0;
    expect(formatIpv4(assigned as ReturnType<typeof ipv4>)).toMatch(/^10\.79\.3\./);
    expect(cluster.agent("ha1").findLocation({ homeAddress: ipv4("0.0.0.0"), nai })).toMatchObject({
      mobile: `nai:${nai}`,
      nai,
      homeAddress: assigned,
      owner: "ha3",
    });
  });

  it("is answered the same by whichever member a retransmission comes in", () => {
    const cluster = new TestCluster(3);
    const request = cluster.request({ homeAddress: cluster.homeAddressRanked("ha2") });
    for (const ingress of ["ha1", "ha2", "ha3", "ha1"]) cluster.datagram(ingress, request);
    expect(cluster.replies).toHaveLength(4);
    const [first, ...others] = cluster.replies.map(({ bytes }) => Buffer.from(bytes).toString("hex"));
    for (const other of others) expect(other).toBe(first);
    expect([...cluster.agent("ha2").bindings]).toHaveLength(1);
  });

  it("goes to the member that the binding names, from wherever it comes in", () => {
    const cluster = new TestCluster(3);
    const homeAddress = cluster.homeAddressRanked("ha2");
    for (const ingress of ["ha3", "ha1", "ha2"]) expect(code(cluster.register(ingress, { homeAddress }))).toBe(0);
    expect(cluster.agent("ha2").counts.owned).toBe(1);
    expect(cluster.agent("ha1").counts.owned + cluster.agent("ha3").counts.owned).toBe(0);
  });

  it("ends with the temporary binding when the owner never answers", () => {
    const cluster = new TestCluster(3);
    const homeAddress = cluster.homeAddressRanked("ha2");
    cluster.loses = (from) => from === "ha2";
    expect(cluster.register("ha1", { homeAddress })).toBeUndefined();
    expect(cluster.agent("ha1").counts.temporary).toBe(1);
    cluster.passTime(2050);
    expect(cluster.agent("ha1").counts.temporary).toBe(0);
    expect(cluster.count("ha1", "relay-timeouts ha2")).toBe(1);
  });

  it("is told to the ingress when the owner discards it silently, so that nothing waits for a reply", () => {
    const cluster = new TestCluster(3);
    const request = cluster.request({ homeAddress: cluster.homeAddressRanked("ha2") });
    cluster.datagram("ha1", request.subarray(0, 24));
    expect(cluster.replies).toEqual([]);
    expect(cluster.agent("ha1").counts.temporary).toBe(0);
  });

  it("is not answered by a reply to a request of a former start", () => {
    const cluster = new TestCluster(3);
    const homeAddress = cluster.homeAddressRanked("ha2");
    cluster.commitAtOnce = false;
    cluster.register("ha1", { homeAddress });
    const [before] = cluster.agent("ha1").temporaryBindings;
    cluster.kill("ha1");
    cluster.restart("ha1");
    cluster.register("ha1", { homeAddress });
    const [after] = cluster.agent("ha1").temporaryBindings;
    expect(after?.requestId).toBeGreaterThan(before?.requestId ?? Number.POSITIVE_INFINITY);
  });

  it("does not make a permanent binding of a denial", () => {
    const cluster = new TestCluster(3);
    const homeAddress = cluster.homeAddressRanked("ha2");
    expect(code(cluster.register("ha1", { homeAddress, identification: 1n }))).toBe(ReplyCode.IdentificationMismatch);
    expect(cluster.agent("ha1").counts).toMatchObject({ owned: 0, ingress: 0, temporary: 0 });
  });

  it("ends the ingress's binding as well when the mobile deregisters", () => {
    const cluster = new TestCluster(3);
    const homeAddress = cluster.homeAddressRanked("ha2");
    cluster.register("ha1", { homeAddress });
    expect(code(cluster.register("ha1", { homeAddress, careOfAddress: homeAddress, lifetime: 0 }))).toBe(0);
    expect(cluster.agent("ha1").counts.ingress).toBe(0);
    expect(cluster.agent("ha2").counts).toMatchObject({ owned: 0, tombstones: 1 });
  });

  it("keeps a binding on the ingress no longer than its lifetime", () => {
    const cluster = new TestCluster(3);
    cluster.register("ha1", { homeAddress: cluster.homeAddressRanked("ha2"), lifetime: 10 });
    cluster.passTime(9_000);
    expect([cluster.agent("ha1").counts.ingress, cluster.agent("ha2").counts.owned]).toEqual([1, 1]);
    cluster.passTime(2_500);
    expect([cluster.agent("ha1").counts.ingress, cluster.agent("ha2").counts.owned]).toEqual([0, 0]);
  });

  it("keeps a binding on the ingress as long as its lifetime, however soon its replay could do no harm any more", () => {
    const cluster = new TestCluster(3);
    cluster.register("ha1", { homeAddress: cluster.homeAddressRanked("ha2"), lifetime: 300 });
    cluster.passTime(295_000, 200);
    expect([cluster.agent("ha1").counts.ingress, cluster.agent("ha2").counts.owned]).toEqual([1, 1]);
  });
});

describe("a mobile that lives elsewhere than its ranking says", () => {
  function withMobileOnSecondChoice() {
    const cluster = new TestCluster(3);
    const homeAddress = cluster.homeAddressRanked("ha1", "ha2", "ha3");
    cluster.input("ha1", { type: "vitals", health: "down", announced: false, eventLoopDelayMs: 0, storeQueue: 0 });
    cluster.passTime(200);
    cluster.register("ha3", { homeAddress });
    cluster.input("ha1", { type: "vitals", health: "ready", announced: true, eventLoopDelayMs: 0, storeQueue: 0 });
    cluster.passTime(200);
    expect(cluster.agent("ha2").findBinding(identity(homeAddress))).toBeDefined();
    return { cluster, homeAddress };
  }

  it("is known by the first in its ranking, which its owner tells", () => {
    const { cluster, homeAddress } = withMobileOnSecondChoice();
    const agent = cluster.agent("ha1");
    const known = agent.findBinding(identity(homeAddress))?.ownership ?? agent.findLocation(identity(homeAddress));
    expect(known).toMatchObject({ owner: "ha2" });
    expect(code(cluster.register("ha1", { homeAddress }))).toBe(0);
    expect(cluster.agent("ha1").counts.owned).toBe(0);
  });

  it("is found in two hops by a member that has never seen it", () => {
    const cluster = new TestCluster(6, { copies: 1 });
    const homeAddress = cluster.homeAddressRanked("ha1", "ha2", "ha3");
    cluster.input("ha1", { type: "vitals", health: "down", announced: false, eventLoopDelayMs: 0, storeQueue: 0 });
    cluster.passTime(200);
    cluster.register("ha3", { homeAddress });
    cluster.input("ha1", { type: "vitals", health: "ready", announced: true, eventLoopDelayMs: 0, storeQueue: 0 });
    cluster.passTime(200);
    expect(code(cluster.register("ha4", { homeAddress }))).toBe(0);
    expect(cluster.count("ha1", "requests-relayed ha2")).toBe(2);
    expect(cluster.agent("ha4").findLocation(identity(homeAddress))).toMatchObject({ owner: "ha2" });
    expect(cluster.agent("ha1").counts.owned).toBe(0);
  });

  it("gets no second owner from a member that never saw it while its owner is full", () => {
    const cluster = new TestCluster(3);
    const full = cluster.homeAddressesRanked(12, "ha1", "ha2", "ha3");
    for (const homeAddress of full) cluster.register("ha1", { homeAddress });
    cluster.passTime(400);
    const before = ["ha1", "ha2", "ha3"].map((id) => cluster.agent(id).counts.owned);
    for (const homeAddress of full) expect(code(cluster.register("ha3", { homeAddress }))).toBe(0);
    expect(["ha1", "ha2", "ha3"].map((id) => cluster.agent(id).counts.owned)).toEqual(before);
  });

  it("is placed on the next in its ranking by its home, when that is full", () => {
    const cluster = new TestCluster(3);
    for (const homeAddress of cluster.homeAddressesRanked(12, "ha1", "ha2", "ha3")) {
      cluster.register("ha3", { homeAddress });
      cluster.passTime(200);
    }
    const owned = ["ha1", "ha2", "ha3"].map((id) => cluster.agent(id).counts.owned);
    expect(owned.reduce((sum, count) => sum + count)).toBe(12);
    expect(Math.max(...owned)).toBeLessThanOrEqual(6);
  });

  it("comes back to its ingress when its home takes no new mobiles, and is answered from there", () => {
    const cluster = new TestCluster(2);
    cluster.input("ha1", { type: "vitals", health: "draining", announced: true, eventLoopDelayMs: 0, storeQueue: 0 });
    cluster.passTime(200);
    const sent = cluster.register("ha2", { homeAddress: cluster.homeAddressRanked("ha1", "ha2") });
    expect(sent).toMatchObject({ from: "ha2", destination: foreignAgent, reply: { code: 0 } });
    expect(cluster.agent("ha2").counts).toMatchObject({ owned: 1, temporary: 0 });
  });

  it("is found by its home address as well as by its NAI", () => {
    const cluster = new TestCluster(3);
    const first = cluster.register("ha1", { nai: "anna@example.com", homeAddress: "0.0.0.0" });
    const homeAddress = formatIpv4(first?.reply.homeAddress ?? ipv4("0.0.0.0"));
    for (const ingress of ["ha1", "ha2", "ha3"]) {
      expect(code(cluster.register(ingress, { nai: "anna@example.com", homeAddress }))).toBe(0);
      expect(code(cluster.register(ingress, { homeAddress }))).toBe(0);
    }
    const owned = ["ha1", "ha2", "ha3"].map((id) => cluster.agent(id).counts.owned);
    expect(owned.toSorted()).toEqual([0, 0, 1]);
  });
});

describe("a member that dies", () => {
  it("is declared dead, and its mobiles find a new owner of a higher generation when they register again", () => {
    const cluster = new TestCluster(3);
    const homeAddress = cluster.homeAddressRanked("ha2", "ha3");
    cluster.register("ha1", { homeAddress });
    cluster.kill("ha2");
    cluster.passTime(1100);
    expect([...cluster.agent("ha1").peers].map(({ id, state }) => `${id} ${state}`)).toEqual(["ha2 dead", "ha3 alive"]);
    expect(code(cluster.register("ha1", { homeAddress }))).toBe(0);
    expect(cluster.agent("ha3").findBinding(identity(homeAddress))).toMatchObject({
      ownership: { owner: "ha3", generation: 2 },
    });
  });

  it("serves everything it had accepted after its restart, identifications included", () => {
    const cluster = new TestCluster(3);
    const homeAddress = cluster.homeAddressRanked("ha2");
    const request = cluster.request({ homeAddress });
    cluster.datagram("ha1", request);
    for (const id of ["ha1", "ha2", "ha3"]) cluster.kill(id);
    for (const id of ["ha1", "ha2", "ha3"]) cluster.restart(id);
    expect(cluster.agent("ha2").findBinding(identity(homeAddress))).toMatchObject({ ownership: { owner: "ha2" } });
    expect(cluster.agent("ha1").findLocation(identity(homeAddress))).toMatchObject({
      owner: "ha2",
      ingress: { foreignAgent },
    });
    cluster.datagram("ha3", request);
    const [first, again] = cluster.replies.map(({ bytes }) => Buffer.from(bytes).toString("hex"));
    expect(again).toBe(first);
  });

  it("is not alive again before it hears us: a replayed heartbeat of its former life proves nothing", () => {
    const cluster = new TestCluster(2);
    cluster.kill("ha2");
    cluster.passTime(1100);
    cluster.loses = (from) => from === "ha1";
    cluster.restart("ha2");
    expect([...cluster.agent("ha1").peers][0]).toMatchObject({ state: "dead", isUnproven: true });
    cluster.loses = () => false;
    cluster.passTime(500);
    expect([...cluster.agent("ha1").peers][0]?.state).toBe("alive");
  });
});

describe("the disk", () => {
  it("has the binding before the reply leaves", () => {
    const cluster = new TestCluster(1);
    cluster.commitAtOnce = false;
    const request = cluster.request({});
    cluster.datagram("ha1", request);
    cluster.datagram("ha1", request);
    expect(cluster.replies).toEqual([]);
    cluster.commit("ha1");
    expect(cluster.replies.map(({ reply }) => reply.code)).toEqual([0, 0]);
    expect([...cluster.diskRows("ha1").keys()]).toEqual(["binding ip:10.64.1.1"]);
  });

  it("that fails turns what it lost into 130, and leaves no trace of it in memory", () => {
    const cluster = new TestCluster(1);
    cluster.register("ha1", { homeAddress: "10.64.1.1" });
    const accepted = cluster.agent("ha1").findBinding(identity("10.64.1.1"));
    cluster.commitAtOnce = false;
    const renewal = cluster.request({ homeAddress: "10.64.1.1" });
    cluster.datagram("ha1", renewal);
    cluster.datagram("ha1", renewal);
    cluster.datagram("ha1", cluster.request({ homeAddress: "10.64.1.2" }));
    cluster.breakDisk("ha1");
    expect(cluster.replies.slice(1).map(({ reply }) => reply.code)).toEqual([130, 130, 130]);
    expect(cluster.agent("ha1").findBinding(identity("10.64.1.1"))).toEqual(accepted);
    expect(cluster.agent("ha1").counts).toMatchObject({ owned: 1, tombstones: 0 });
  });

  it("that fails has every new request answered 130 until it works again, and retransmissions of accepted ones served", () => {
    const cluster = new TestCluster(1);
    const accepted = cluster.request({ homeAddress: "10.64.1.1" });
    cluster.datagram("ha1", accepted);
    cluster.breakDisk("ha1");
    expect(code(cluster.register("ha1", { homeAddress: "10.64.1.2" }))).toBe(ReplyCode.Resources);
    cluster.datagram("ha1", accepted);
    expect(code(cluster.replies.at(-1))).toBe(0);
    cluster.mendDisk("ha1");
    expect(code(cluster.register("ha1", { homeAddress: "10.64.1.2" }))).toBe(0);
  });

  it("of the owner that fails is answered to the foreign agent through the ingress, and the ingress keeps no binding", () => {
    const cluster = new TestCluster(3);
    const homeAddress = cluster.homeAddressRanked("ha2");
    cluster.breakDisk("ha1");
    cluster.breakDisk("ha3");
    cluster.passTime(400);
    cluster.commitAtOnce = false;
    cluster.datagram("ha1", cluster.request({ homeAddress }));
    cluster.breakDisk("ha2");
    expect(cluster.replies).toMatchObject([{ from: "ha1", destination: foreignAgent, reply: { code: 130 } }]);
    expect(cluster.agent("ha1").counts).toMatchObject({ ingress: 0, temporary: 0 });
  });

  it("holds a deletion by the operator before it counts", () => {
    const cluster = new TestCluster(1);
    cluster.register("ha1", { homeAddress: "10.64.1.1" });
    cluster.commitAtOnce = false;
    const deletion = cluster.deleteBinding("ha1", identity("10.64.1.1"));
    expect(cluster.agent("ha1").counts).toMatchObject({ owned: 0, tombstones: 1 });
    expect(deletion.outcome).toBeUndefined();
    cluster.commit("ha1");
    expect(deletion.outcome).toBe("deleted");
    expect(cluster.deleteBinding("ha1", identity("10.64.1.1")).outcome).toBe("not-owned");
  });

  it("that fails, or hangs, is no reason to say that a binding was deleted", () => {
    const cluster = new TestCluster(1);
    cluster.register("ha1", { homeAddress: "10.64.1.1" });
    cluster.register("ha1", { homeAddress: "10.64.1.2" });
    cluster.commitAtOnce = false;
    const hanging = cluster.deleteBinding("ha1", identity("10.64.1.1"));
    cluster.passTime(2100);
    expect(hanging.outcome).toBe("unconfirmed");
    const lost = cluster.deleteBinding("ha1", identity("10.64.1.2"));
    cluster.breakDisk("ha1");
    expect(lost.outcome).toBe("store-failed");
    expect(cluster.deleteBinding("ha1", identity("10.64.1.2")).outcome).toBe("not-owned");
  });
});

describe("overload", () => {
  it("sheds the newest requests at the ingress, and takes new ones once the old are answered", () => {
    const cluster = new TestCluster(2, { maximumPending: 10 });
    const homeAddress = cluster.homeAddressRanked("ha2");
    cluster.loses = (from, to) => from === "ha1" && to === "ha2";
    for (let count = 0; count < 15; count++) cluster.register("ha1", { homeAddress });
    expect(cluster.agent("ha1").counts.temporary).toBe(10);
    expect(cluster.count("ha1", "datagrams-dropped overloaded")).toBe(5);
    cluster.loses = () => false;
    cluster.passTime(2100);
    expect(code(cluster.register("ha1", { homeAddress }))).toBe(0);
  });

  it("sheds the newest requests at the owner while its disk is slow", () => {
    const cluster = new TestCluster(1, { maximumPending: 10 });
    cluster.commitAtOnce = false;
    for (let host = 1; host <= 15; host++) cluster.register("ha1", { homeAddress: `10.64.1.${host}` });
    expect(cluster.count("ha1", "datagrams-dropped overloaded")).toBe(5);
    cluster.commit("ha1");
    expect(cluster.replies).toHaveLength(10);
  });
});

describe("the log says", () => {
  const said = (cluster: TestCluster, event: string) => cluster.events.filter((entry) => entry.event === event);

  it("whose datagram was dropped, and why, on the member that dropped it", () => {
    const cluster = new TestCluster(2);
    cluster.datagram("ha1", Uint8Array.of(7, 7));
    expect(said(cluster, "datagram-dropped")).toEqual([
      { on: "ha1", event: "datagram-dropped", source: "192.0.2.1:434", reason: "unknown-message-type" },
    ]);
  });

  it("whom a denial was for", () => {
    const cluster = new TestCluster(1);
    cluster.register("ha1", { homeAddress: "10.64.1.1", careOfAddress: "127.0.0.1" });
    expect(said(cluster, "registration-denied")).toEqual([
      { on: "ha1", event: "registration-denied", mobile: "ip:10.64.1.1", code: 134, reason: "care-of-address-invalid" },
    ]);
  });

  it("that no address is left in the pool", () => {
    const cluster = new TestCluster(1);
    const codes = Array.from({ length: 257 }, (_, index) =>
      code(cluster.register("ha1", { nai: `user${index}@example.com`, homeAddress: "0.0.0.0" })),
    );
    expect(codes).toEqual([...new Array(256).fill(0), ReplyCode.Resources]);
    expect(said(cluster, "pool-exhausted")).toHaveLength(1);
  });

  it("where a frame came from that is not a member's", () => {
    const cluster = new TestCluster(2);
    const source = { address: ipv4("203.0.113.9"), port: 999 };
    cluster.input("ha1", { type: "frame", payload: Uint8Array.of(1), source });
    expect(said(cluster, "frame-rejected")).toEqual([
      { on: "ha1", event: "frame-rejected", source: "203.0.113.9:999", reason: "not-a-frame" },
    ]);
  });
});

describe("a datagram", () => {
  it.each([
    ["of no bytes", new Uint8Array()],
    ["of one byte", Uint8Array.of(1)],
    ["of another message type", new Uint8Array(40).fill(7)],
    ["that is a reply", Uint8Array.of(3, ...new Uint8Array(40))],
  ])("%s is dropped and counted", (_, payload) => {
    const cluster = new TestCluster(2);
    cluster.datagram("ha1", payload);
    expect(cluster.replies).toEqual([]);
    expect(cluster.count("ha1", "event datagram-dropped")).toBe(1);
  });

  it("without a source port is dropped: no reply could reach its sender", () => {
    const cluster = new TestCluster(1);
    cluster.datagram("ha1", cluster.request({}), { ...foreignAgent, port: 0 });
    expect(cluster.replies).toEqual([]);
    expect(cluster.count("ha1", "datagrams-dropped no-source-port")).toBe(1);
  });
});
