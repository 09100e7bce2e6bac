/** A home address belongs to one mobile in the whole cluster, and a mobile has one row. */
import { describe, expect, test } from "vitest";
import type { Binding } from "../../../src/core/bindings/binding.ts";
import { formatIpv4 } from "../../../src/core/wire/ipv4.ts";
import { TestCluster } from "./test-cluster.ts";

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
