/** A home address belongs to one mobile in the whole cluster, and a mobile has one row. */
import { describe, expect, test } from "vitest";
import type { Binding } from "../../../src/core/bindings/binding.ts";
import { formatIpv4, ipv4 } from "../../../src/core/wire/ipv4.ts";
import { type SentReply, TestCluster } from "./test-cluster.ts";

const DYNAMIC = "0.0.0.0";

/** Of all mobiles with a live binding, on whichever member: their home addresses. */
function liveAddresses(cluster: TestCluster, ids: readonly string[]): Map<string, string> {
  const live = (row: Binding) => row.registration.careOfAddresses.length > 0;
  const rows = ids.flatMap((id) => [...cluster.agent(id).bindings].filter(live));
  return new Map(rows.map(({ mobile, homeAddress }) => [mobile, formatIpv4(homeAddress)]));
}

describe("a home address that was taken back from a mobile that is gone", () => {
  test("is not taken back again by copies that backups had before", () => {
    const cluster = new TestCluster(3, { sliceSize: 1 });
    const [gone = "", next = ""] = cluster.naisRanked(2, "ha1");
    expect(cluster.register("ha1", { nai: gone, homeAddress: DYNAMIC })?.reply.code).toBe(0);
    expect(
      cluster.register("ha1", { nai: gone, homeAddress: DYNAMIC, careOfAddress: DYNAMIC, lifetime: 0 })?.reply.code,
    ).toBe(0);
    const reply = cluster.register("ha1", { nai: next, homeAddress: DYNAMIC })?.reply;
    expect(reply && [reply.code, formatIpv4(reply.homeAddress)]).toEqual([0, "10.79.1.0"]);
    // Backups are compared with, and every stream begins anew.
    for (const peer of ["ha2", "ha3"]) cluster.breakStream("ha1", peer);
    cluster.heal();
    cluster.passTime(11_000);
    expect(cluster.register("ha2", { nai: gone, homeAddress: DYNAMIC })?.reply.code).toBe(130);
    expect([...liveAddresses(cluster, ["ha1", "ha2", "ha3"])]).toEqual([[`nai:${next}`, "10.79.1.0"]]);
  });
});

describe("a mobile that is first known by its address, then shows an NAI, and then moves to another address", () => {
  const NAI = new TestCluster(6).naiRanked("ha1");
  const IDS = ["ha1", "ha2", "ha3", "ha4", "ha5", "ha6"];
  const codeOf = (sent: SentReply | undefined) => sent?.reply.code;

  function moved() {
    const cluster = new TestCluster(IDS.length, { copies: 1 });
    const [first = "", second = ""] = cluster.homeAddressesRanked(2, "ha1");
    const byAddress = cluster.request({ homeAddress: first });
    cluster.datagram("ha2", byAddress);
    expect(codeOf(cluster.replies.at(-1))).toBe(0);
    const named = cluster.request({ homeAddress: first, nai: NAI, signs: "by-address" });
    cluster.datagram("ha3", named);
    expect(codeOf(cluster.replies.at(-1))).toBe(0);
    expect(codeOf(cluster.register("ha2", { homeAddress: second, nai: NAI, signs: "by-address" }))).toBe(0);
    return { cluster, first, second, byAddress, named };
  }

  test("is one mobile all the time", () => {
    const { cluster, second } = moved();
    expect([...liveAddresses(cluster, IDS)]).toEqual([[`nai:${NAI}`, second]]);
  });

  test("is refused what it asked for before, by every member, with or without a row", () => {
    const { cluster, second, byAddress, named } = moved();
    for (const ingress of IDS) {
      for (const old of [byAddress, named]) {
        cluster.datagram(ingress, old, { address: ipv4("198.51.100.66"), port: 6666 });
        expect(codeOf(cluster.replies.at(-1)), ingress).toBe(133);
      }
    }
    expect([...liveAddresses(cluster, IDS)]).toEqual([[`nai:${NAI}`, second]]);
  });

  test("keeps its binding when another registers at the address that it had", () => {
    const { cluster, first, second } = moved();
    expect(codeOf(cluster.register("ha4", { homeAddress: first }))).toBe(0);
    cluster.passTime(11_000);
    expect([...liveAddresses(cluster, IDS)].toSorted()).toEqual([
      [`ip:${first}`, first],
      [`nai:${NAI}`, second],
    ]);
  });

  test("comes back to its first address, if nobody else has it by then", () => {
    const { cluster, first } = moved();
    expect(codeOf(cluster.register("ha5", { homeAddress: first, nai: NAI, signs: "by-address" }))).toBe(0);
    expect([...liveAddresses(cluster, IDS)]).toEqual([[`nai:${NAI}`, first]]);
    expect(codeOf(cluster.register("ha6", { homeAddress: first }))).toBe(0);
    expect([...liveAddresses(cluster, IDS)]).toEqual([[`nai:${NAI}`, first]]);
  });
});

describe("a home address that several mobiles name", () => {
  const IDS = ["ha1", "ha2", "ha3", "ha4", "ha5", "ha6", "ha7", "ha8"];

  test("goes to one of them, whichever members they come to and live on", () => {
    const cluster = new TestCluster(IDS.length);
    for (const [index, ranked] of IDS.entries()) {
      const homeAddress = `10.70.200.${index}`;
      for (const id of IDS) {
        const nai = cluster.naiRanked(ranked, ...(id === ranked ? [] : [id]));
        cluster.register(id, { nai, homeAddress });
      }
      const holders = [...liveAddresses(cluster, IDS)].filter(([, address]) => address === homeAddress);
      expect(holders).toHaveLength(1);
    }
    expect(cluster.replies.filter(({ reply }) => reply.code === 129).length).toBeGreaterThan(20);
  });

  test("is refused to a mobile that moves, when its home knows another that has it", () => {
    const cluster = new TestCluster(IDS.length);
    const [theirs = "", ours = ""] = cluster.homeAddressesRanked(2, "ha1");
    const far = cluster.homeAddressRanked("ha8", "ha7", "ha6");
    cluster.register("ha2", { nai: "ann@example.com", homeAddress: theirs });
    cluster.register("ha3", { nai: "bob@example.com", homeAddress: far });
    expect(cluster.register("ha4", { nai: "bob@example.com", homeAddress: theirs })?.reply.code).toBe(129);
    expect(cluster.register("ha5", { nai: "bob@example.com", homeAddress: ours })?.reply.code).toBe(0);
    expect(liveAddresses(cluster, IDS).get("nai:bob@example.com")).toBe(ours);
    // The address that it has left is free again.
    expect(cluster.register("ha6", { nai: "cat@example.com", homeAddress: far })?.reply.code).toBe(0);
  });

  test("is asked about once: renewals cost nobody a message", () => {
    const cluster = new TestCluster(IDS.length);
    let claims = 0;
    cluster.holds = ({ type }) => {
      if (type === "claim") claims++;
      return false;
    };
    const [first = "", second = ""] = [cluster.homeAddressRanked("ha1"), cluster.homeAddressRanked("ha2")];
    const nai = "ann@example.com";
    cluster.register("ha3", { nai, homeAddress: first });
    cluster.register("ha3", { nai, homeAddress: second });
    expect(claims).toBe(1);
    for (const id of IDS) expect(cluster.register(id, { nai, homeAddress: second })?.reply.code).toBe(0);
    expect(claims).toBe(1);
  });

  test("is given by whoever owns the mobile once its home has answered, as owners change meanwhile", () => {
    const cluster = new TestCluster(IDS.length);
    const nai = cluster.naiRanked("ha1", "ha2");
    const [first, second] = [cluster.homeAddressRanked("ha1"), cluster.homeAddressRanked("ha8", "ha7")];
    cluster.register("ha1", { nai, homeAddress: first });
    cluster.holds = ({ type }) => type === "holder";
    expect(cluster.register("ha1", { nai, homeAddress: second })).toBeUndefined();
    cluster.input("ha1", { type: "drain", draining: true });
    cluster.input("ha1", { type: "vitals", health: "draining", announced: true, eventLoopDelayMs: 0, storeQueue: 0 });
    cluster.passTime(1000);
    expect(cluster.agent("ha1").counts.owned).toBe(0);
    const before = cluster.replies.length;
    cluster.release();
    expect(cluster.replies.slice(before).map(({ reply }) => [reply.code, formatIpv4(reply.homeAddress)])).toEqual([
      [0, second],
    ]);
    expect(cluster.agent("ha1").counts.owned).toBe(0);
    expect([...liveAddresses(cluster, IDS)]).toEqual([[`nai:${nai}`, second]]);
  });

  test("is kept, after a partition gave it away twice, by the one that has had it longer", () => {
    const ids = ["ha1", "ha2", "ha3", "ha4", "ha5", "ha6"];
    const cluster = new TestCluster(ids.length, { copies: 1 });
    const homeAddress = cluster.homeAddressRanked("ha1", "ha4");
    const [here, there] = [ids.slice(0, 3), ids.slice(3)];
    for (const one of here) for (const other of there) cluster.separate(one, other);
    cluster.passTime(3000);
    expect(cluster.register("ha2", { nai: "ann@example.com", homeAddress })?.reply.code).toBe(0);
    cluster.passTime(1000);
    expect(cluster.register("ha5", { nai: "bob@example.com", homeAddress })?.reply.code).toBe(0);
    cluster.heal();
    cluster.passTime(3000);
    expect([...liveAddresses(cluster, ids)]).toEqual([["nai:ann@example.com", homeAddress]]);
    expect(ids.reduce((sum, id) => sum + cluster.count(id, "home-address-conflicts"), 0)).toBe(1);
    expect(cluster.events).toContainEqual(
      expect.objectContaining({ event: "home-address-conflict", mobile: "nai:bob@example.com", address: homeAddress }),
    );
    expect(cluster.register("ha5", { nai: "bob@example.com", homeAddress })?.reply.code).toBe(129);
    expect(cluster.register("ha6", { nai: "ann@example.com", homeAddress })?.reply.code).toBe(0);
  });
});
