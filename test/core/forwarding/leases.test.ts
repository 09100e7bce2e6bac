import { expect, test } from "vitest";
import type { Output } from "../../../src/core/home-agent/io.ts";
import { formatIpv4, ipv4 } from "../../../src/core/wire/ipv4.ts";
import { said, TestCluster } from "../home-agent/test-cluster.ts";

const IDS = ["ha1", "ha2", "ha3", "ha4", "ha5"];
const LEASE_MS = 20_000;

/** Five members that forward: a mobile's owner and backups are three of them, and each says where it would send packets. */
function forwardingCluster() {
  const cluster = new TestCluster(IDS.length, { forwards: true });
  const outputs: { readonly on: string; readonly output: Output }[] = [];
  const ways = new Map<string, readonly string[]>();
  for (const id of IDS) {
    cluster.observe(id, (output) => {
      outputs.push({ on: id, output });
      if (output.type !== "forward") return;
      for (const { homeAddress, tunnels } of output.entries) {
        const careOf = tunnels.map(({ careOfAddress }) => formatIpv4(careOfAddress));
        if (careOf.length > 0) ways.set(`${id} ${formatIpv4(homeAddress)}`, careOf);
        else ways.delete(`${id} ${formatIpv4(homeAddress)}`);
      }
    });
  }
  const homeAddress = cluster.homeAddressRanked("ha1", "ha2", "ha3", "ha4");
  const forwarders = () => IDS.filter((id) => ways.has(`${id} ${homeAddress}`));
  const miss = (id: string) => cluster.input(id, { type: "missed", homeAddresses: [ipv4(homeAddress)] });
  return { cluster, outputs, homeAddress, forwarders, miss, wayOf: (id: string) => ways.get(`${id} ${homeAddress}`) };
}

test("the ingress forwards for the mobile before the reply leaves, though it holds no copy, and for a while only", () => {
  const { cluster, outputs, homeAddress, forwarders } = forwardingCluster();
  cluster.register("ha5", { homeAddress });
  expect(forwarders()).toEqual(["ha1", "ha2", "ha3", "ha5"]);
  const atIngress = outputs.filter(({ on }) => on === "ha5").map(({ output }) => output.type);
  expect(atIngress.indexOf("forward")).toBeLessThan(atIngress.indexOf("reply"));
  cluster.passTime(LEASE_MS + 2000);
  expect(forwarders()).toEqual(["ha1", "ha2", "ha3"]);
});

test("a member that has passed packets on is told the way by the owner, whoever of the homes it asks", () => {
  const { cluster, homeAddress, forwarders, miss } = forwardingCluster();
  cluster.register("ha1", { homeAddress });
  expect(forwarders()).toEqual(["ha1", "ha2", "ha3"]);
  miss("ha4");
  expect(forwarders()).toEqual(["ha1", "ha2", "ha3", "ha4"]);
  // The home is a backup: it passes the question on to the owner.
  cluster.separate("ha1", "ha5");
  cluster.passTime(2000);
  miss("ha5");
  expect(forwarders()).toEqual(["ha1", "ha2", "ha3", "ha4"]);
  cluster.heal();
  miss("ha5");
  expect(forwarders()).toEqual(IDS);
  cluster.passTime(LEASE_MS + 2000);
  expect(forwarders()).toEqual(["ha1", "ha2", "ha3"]);
});

test("who was told hears at once that the mobile has moved, and that it is gone", () => {
  const { cluster, homeAddress, miss, wayOf } = forwardingCluster();
  cluster.register("ha1", { homeAddress, careOfAddress: "192.0.2.1" });
  miss("ha4");
  expect(wayOf("ha4")).toEqual(["192.0.2.1"]);
  cluster.register("ha1", { homeAddress, careOfAddress: "192.0.2.2" });
  expect(wayOf("ha4")).toEqual(["192.0.2.2"]);
  cluster.register("ha1", { homeAddress, careOfAddress: homeAddress, lifetime: 0 });
  expect(wayOf("ha4")).toBeUndefined();
});

test("a home that holds no copy always knows, from the moment in which it is one", () => {
  const { cluster, homeAddress, forwarders, wayOf } = forwardingCluster();
  cluster.register("ha1", { homeAddress, careOfAddress: "192.0.2.1" });
  cluster.kill("ha1");
  cluster.wipe("ha1");
  cluster.passTime(3000);
  cluster.restart("ha1");
  cluster.passTime(LEASE_MS + 3000);
  expect(cluster.agent("ha1").findBinding({ homeAddress: ipv4(homeAddress), nai: undefined })).toBeUndefined();
  expect(forwarders()).toEqual(["ha1", "ha2", "ha3", "ha4"]);
  cluster.register("ha4", { homeAddress, careOfAddress: "192.0.2.2" });
  expect(wayOf("ha1")).toEqual(["192.0.2.2"]);
});

test("a reply that was late does not bring back what has been taken back since", () => {
  const { cluster, homeAddress, wayOf } = forwardingCluster();
  cluster.register("ha5", { homeAddress, careOfAddress: "192.0.2.1" });
  const lease = {
    homeAddress: ipv4(homeAddress),
    mobile: `ip:${homeAddress}`,
    generation: 1,
    tunnels: [
      {
        careOfAddress: ipv4("192.0.2.9"),
        encapsulation: "ip-in-ip",
        isReverse: false,
        expiresAtMs: cluster.wallMs + 5000,
      },
    ],
  } as const;
  const tell = (number: number) => cluster.input("ha5", said("ha1", { type: "lease", ...lease, number }));
  tell(1);
  expect(wayOf("ha5")).toEqual(["192.0.2.1"]);
  tell(Number.MAX_SAFE_INTEGER);
  expect(wayOf("ha5")).toEqual(["192.0.2.9"]);
});

test("what an owner told that can't be heard any more ends a lease later, unless it tells it again", () => {
  const { cluster, homeAddress, wayOf } = forwardingCluster();
  const tunnels = [
    { careOfAddress: ipv4("192.0.2.9"), encapsulation: "gre", isReverse: true, expiresAtMs: Number.POSITIVE_INFINITY },
  ] as const;
  const [mobile, address] = [`ip:${homeAddress}`, ipv4(homeAddress)] as const;
  const lease = { type: "lease", mobile, homeAddress: address, generation: 1, number: 1, tunnels } as const;
  cluster.input("ha5", said("ha4", lease));
  cluster.passTime(2 * LEASE_MS);
  expect(wayOf("ha5")).toEqual(["192.0.2.9"]);
  cluster.breakStream("ha4", "ha5");
  cluster.passTime(LEASE_MS - 1000);
  expect(wayOf("ha5")).toEqual(["192.0.2.9"]);
  cluster.passTime(2000);
  expect(wayOf("ha5")).toBeUndefined();
});
