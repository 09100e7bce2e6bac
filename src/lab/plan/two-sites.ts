/**
 * Two sites of home agents, each behind a leaf of its own. Within a site they relay by MAC address, between sites by IP.
 * What one site accepts, the other backs up.
 *
 *      fa1 ── 10.1.11.0/24 ──┐      ┌── 10.1.1.0/29 ── r1 ── 10.1.0.0/24 ── ha1, ha2
 *                            ├─ r2 ─┤
 *      fa2 ── 10.1.12.0/24 ──┘      └── 10.2.1.0/29 ── r3 ── 10.2.0.0/24 ── ha3, ha4
 */
import { foreignAgent, homeAgent, LAB_TOPOLOGY, router, type Topology } from "./topology.ts";

export const TWO_SITES: Topology = {
  ...LAB_TOPOLOGY,
  name: "two-sites",
  linkedPairs: [
    ["ha1", "ha2"],
    ["ha3", "ha4"],
  ],
  networks: [
    { name: "site1-lan", prefix: "10.1.0.0/24" },
    { name: "site2-lan", prefix: "10.2.0.0/24" },
    { name: "core1", prefix: "10.1.1.0/29" },
    { name: "core2", prefix: "10.2.1.0/29" },
    { name: "fa1-lan", prefix: "10.1.11.0/24" },
    { name: "fa2-lan", prefix: "10.1.12.0/24" },
  ],
  nodes: [
    inSite(1, "ha1", 65011, "10.1.0.11", "10.79.0.0-10.79.63.255"),
    inSite(1, "ha2", 65012, "10.1.0.12", "10.79.64.0-10.79.127.255"),
    inSite(2, "ha3", 65013, "10.2.0.13", "10.79.128.0-10.79.191.255"),
    inSite(2, "ha4", 65014, "10.2.0.14", "10.79.192.0-10.79.255.255"),
    router("r1", 65001, { "site1-lan": "10.1.0.1", core1: "10.1.1.1" }),
    router("r2", 65002, { core1: "10.1.1.2", core2: "10.2.1.2", "fa1-lan": "10.1.11.1", "fa2-lan": "10.1.12.1" }),
    router("r3", 65003, { "site2-lan": "10.2.0.1", core2: "10.2.1.1" }),
    foreignAgent("fa1", { "fa1-lan": "10.1.11.2" }, "10.1.11.1"),
    foreignAgent("fa2", { "fa2-lan": "10.1.12.2" }, "10.1.12.1"),
  ],
};

/**
 * Each home agent is backed up by both of the other site, so a site that is lost takes no copy with it that the other
 * doesn't have.
 */
function inSite(site: 1 | 2, name: string, as: number, address: string, pool: string) {
  const node = homeAgent(name, as, { network: `site${site}-lan`, address, gateway: `10.${site}.0.1` }, pool);
  return { ...node, backups: site === 1 ? ["ha3", "ha4"] : ["ha1", "ha2"] };
}
