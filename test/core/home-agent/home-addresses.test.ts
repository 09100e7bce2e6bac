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
