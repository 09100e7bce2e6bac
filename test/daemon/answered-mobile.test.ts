import { expect, test } from "vitest";
import type { MobileAssociation } from "../../src/core/auth/association.ts";
import { AssociationTable } from "../../src/core/auth/association-table.ts";
import { ipv4 } from "../../src/core/wire/ipv4.ts";
import { answeredMobile, isBoundBy } from "../../src/daemon/answered-mobile.ts";
import { ALICE, foreignAgent, TestCluster } from "../core/home-agent/test-cluster.ts";

const key = new Uint8Array(16);
const shared = { algorithm: "hmac-md5", key, replay: { style: "timestamps", windowMs: 7000 } } as const;
const range = { first: ipv4("10.64.1.0"), last: ipv4("10.79.255.254") };
const byAddress: MobileAssociation = { ...shared, spi: 256, mobiles: { by: "home-addresses", range } };
const byRealm: MobileAssociation = { ...shared, spi: 257, mobiles: { by: "realm", realm: "example.com" } };
const byNai: MobileAssociation = { ...shared, spi: 258, mobiles: { by: "nai", nai: ALICE } };
const associations = new AssociationTable([byAddress, byRealm, byNai], []);

test.each([
  ["by its address", { homeAddress: "10.70.0.9" }, "home addresses 10.64.1.0-10.79.255.254"],
  ["by its realm", { nai: "ann@example.com", homeAddress: "0.0.0.0" }, "realm example.com"],
  [
    "by the address, though it names a realm",
    { nai: "ann@example.com", homeAddress: "10.70.0.9", signs: "by-address" as const },
    "home addresses 10.64.1.0-10.79.255.254",
  ],
  ["by its NAI", { nai: ALICE, homeAddress: "10.70.0.9" }, `NAI ${ALICE}`],
])("a reply tells the association of the mobile that it accepts: %s", (_how, mobile, association) => {
  const cluster = new TestCluster(1, { copies: 0 });
  const bytes = cluster.register("ha1", mobile)?.bytes ?? new Uint8Array();
  expect(answeredMobile(bytes, associations)?.association).toBe(association);
});

test("of what is no reply, or of a mobile without an association, nothing is told", () => {
  const cluster = new TestCluster(1, { copies: 0 });
  const bytes = cluster.register("ha1", { homeAddress: "10.70.0.9" })?.bytes ?? new Uint8Array();
  expect(answeredMobile(bytes.subarray(0, 10), associations)).toBeUndefined();
  expect(answeredMobile(bytes, new AssociationTable([byRealm], []))).toBeUndefined();
});

test("a foreign agent is bound to a mobile at its owner, at a backup and at the ingress, until another one is", () => {
  const cluster = new TestCluster(4, { copies: 1 });
  const homeAddress = cluster.homeAddressRanked("ha1", "ha2");
  const mobile = { homeAddress: ipv4(homeAddress), nai: undefined };
  const boundAt = (address = foreignAgent.address) =>
    ["ha1", "ha2", "ha3", "ha4"].filter((id) => isBoundBy(cluster.agent(id), mobile, address));
  cluster.register("ha3", { homeAddress });
  expect(boundAt()).toEqual(["ha1", "ha2", "ha3"]);
  const other = { address: ipv4("192.0.2.2"), port: 434 };
  cluster.register("ha3", { homeAddress, careOfAddress: "192.0.2.2", source: other });
  expect(boundAt()).toEqual([]);
  expect(boundAt(other.address)).toEqual(["ha1", "ha2", "ha3"]);
});
