import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadConfig } from "../../../src/config/load.ts";
import { formatIpv4, ipv4, parsePrefix, prefixContains } from "../../../src/core/wire/ipv4.ts";
import { namespacePlan } from "../../../src/lab/namespaces/namespace-plan.ts";
import { anyhomeConfig } from "../../../src/lab/plan/anyhome-config.ts";
import { bgpdConfig } from "../../../src/lab/plan/frr-config.ts";
import { LAB_TOPOLOGY, nodesOf, type TopologyNode } from "../../../src/lab/plan/topology.ts";

const [r1, r2] = nodesOf(LAB_TOPOLOGY, "router") as [TopologyNode, TopologyNode];

test("every address of the topology is in the prefix of its network, and no two are the same", () => {
  const all = LAB_TOPOLOGY.nodes.flatMap((node) => node.interfaces);
  for (const { network, address } of all) {
    const prefix = parsePrefix(LAB_TOPOLOGY.networks.find(({ name }) => name === network)?.prefix ?? "");
    expect(prefix && prefixContains(prefix, ipv4(address)), `${address} in ${network}`).toBe(true);
  }
  expect(new Set(all.map(({ address }) => address)).size).toBe(all.length);
});

describe("FRR", () => {
  test("r1 has all home agents as eBGP neighbors, uses all their paths, and tells them of each other", () => {
    expect(bgpdConfig(LAB_TOPOLOGY, r1)).toMatchInlineSnapshot(`
      "frr defaults datacenter
      hostname r1
      router bgp 65001
       bgp router-id 10.1.0.1
       no bgp ebgp-requires-policy
       bgp bestpath as-path multipath-relax
       neighbor HA peer-group
       neighbor HA remote-as external
       neighbor HA timers 3 9
       neighbor HA timers connect 5
       neighbor HA bfd profile lab
       neighbor 10.1.0.11 peer-group HA
       neighbor 10.1.0.12 peer-group HA
       neighbor 10.1.0.13 peer-group HA
       neighbor 10.1.1.2 remote-as 65002
       neighbor 10.1.1.2 timers 3 9
       neighbor 10.1.1.2 timers connect 5
       neighbor 10.1.1.2 bfd profile lab
       address-family ipv4 unicast
        redistribute connected
        maximum-paths 16
        neighbor HA activate
        neighbor HA addpath-tx-all-paths
        neighbor 10.1.1.2 activate
       exit-address-family
      "
    `);
  });

  test("r2 has r1 as its only neighbor", () => {
    expect(bgpdConfig(LAB_TOPOLOGY, r2)).toMatchInlineSnapshot(`
      "frr defaults datacenter
      hostname r2
      router bgp 65002
       bgp router-id 10.1.1.2
       no bgp ebgp-requires-policy
       bgp bestpath as-path multipath-relax
       neighbor 10.1.1.1 remote-as 65001
       neighbor 10.1.1.1 timers 3 9
       neighbor 10.1.1.1 timers connect 5
       neighbor 10.1.1.1 bfd profile lab
       address-family ipv4 unicast
        redistribute connected
        maximum-paths 16
        neighbor 10.1.1.1 activate
       exit-address-family
      "
    `);
  });
});

describe("the home agents' configuration", () => {
  test.each(nodesOf(LAB_TOPOLOGY, "home-agent").map(({ name }) => name))("is one that %s accepts", (name) => {
    const directory = mkdtempSync(join(tmpdir(), "anyhome-lab-config-"));
    try {
      const file = join(directory, "anyhome.yaml");
      const paths = { secretFile: "secret", dataDirectory: "data", controlSocket: "control.sock", vtyDirectory: "frr" };
      writeFileSync(file, anyhomeConfig(LAB_TOPOLOGY, paths));
      writeFileSync(join(directory, "secret"), "0".repeat(64), { mode: 0o600 });
      const { config } = loadConfig(file, { node: name });
      expect(config.self.id).toBe(name);
      expect(config.members.map((member) => [member.id, formatIpv4(member.address), member.bgp?.as])).toEqual([
        ["ha1", "10.1.0.11", 65011],
        ["ha2", "10.1.0.12", 65012],
        ["ha3", "10.1.0.13", 65013],
      ]);
      expect(config.mobileAssociations.map(({ spi, replay }) => [spi, replay.style])).toEqual([
        [256, "timestamps"],
        [257, "timestamps"],
      ]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe("network namespaces", () => {
  const plan = namespacePlan(LAB_TOPOLOGY, (node) => `ns-${node}`);

  test("two nodes are joined by one link, three and more by a bridge in their router", () => {
    expect(plan.host).toMatchInlineSnapshot(`
      [
        "netns add ns-ha1",
        "netns add ns-ha2",
        "netns add ns-ha3",
        "netns add ns-r1",
        "netns add ns-r2",
        "netns add ns-fa1",
        "netns add ns-fa2",
        "netns add ns-mn1",
        "netns add ns-mn2",
        "netns add ns-cn1",
        "link add name r1 netns ns-ha1 type veth peer name ha1 netns ns-r1",
        "link add name r1 netns ns-ha2 type veth peer name ha2 netns ns-r1",
        "link add name r1 netns ns-ha3 type veth peer name ha3 netns ns-r1",
        "link add name r2 netns ns-r1 type veth peer name r1 netns ns-r2",
        "link add name fa1 netns ns-r2 type veth peer name r2 netns ns-fa1",
        "link add name fa2 netns ns-r2 type veth peer name r2 netns ns-fa2",
        "link add name cn1 netns ns-r2 type veth peer name r2 netns ns-cn1",
        "link add name mn1 netns ns-fa1 type veth peer name fa1 netns ns-mn1",
        "link add name mn2 netns ns-fa2 type veth peer name fa2 netns ns-mn2",
      ]
    `);
  });

  test("r1 bridges its home agents and routes", () => {
    const { commands, settings } = planOf("r1");
    expect([...commands, ...settings]).toMatchInlineSnapshot(`
      [
        "link set lo up",
        "link add name ha-lan type bridge forward_delay 0",
        "link set ha1 master ha-lan up",
        "link set ha2 master ha-lan up",
        "link set ha3 master ha-lan up",
        "link set r2 up",
        "address add 10.1.0.1/24 dev ha-lan",
        "address add 10.1.1.1/29 dev r2",
        "link set ha-lan up",
        "net.ipv4.conf.all.rp_filter=0",
        "net.ipv4.conf.default.rp_filter=0",
        "net.ipv4.ip_forward=1",
        "net.ipv4.fib_multipath_hash_policy=1",
      ]
    `);
  });

  test("a home agent has one address and sends everything to its router", () => {
    expect(planOf("ha1").commands).toMatchInlineSnapshot(`
      [
        "link set lo up",
        "link set r1 up",
        "address add 10.1.0.11/24 dev r1",
        "route add default via 10.1.0.1",
      ]
    `);
  });

  function planOf(name: string) {
    const found = plan.nodes.find(({ node }) => node.name === name);
    if (!found) throw new Error(`no plan for ${name}`);
    return found;
  }
});
