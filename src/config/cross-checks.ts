/** What a configuration must fulfil beyond the form of its single values. Each rule looks at the sections that are sound. */
import { SELF_CHECKS } from "../adapters/checks/self-checks.ts";
import {
  directedBroadcast,
  formatEndpoint,
  formatIpv4,
  formatPrefix,
  type Ipv4Prefix,
  type Ipv4Range,
  prefixContains,
} from "../core/wire/ipv4.ts";
import { homeNetworks } from "./derived.ts";
import type { Draft } from "./draft.ts";
import type { Path } from "./place.ts";
import type { Problems } from "./problem.ts";
import type { ConfigFile } from "./schema.ts";

type Member = ConfigFile["members"][number];

/** `node`: the member this host is, where that is known. */
export function crossCheck(draft: Draft, node: string | undefined, problems: Problems): void {
  const { source, sections } = draft;
  const { members = [], timers, registration } = sections;
  const error = (path: Path, message: string) => problems.error(source, path, message);

  checkDistinct(members, error);
  checkAnnounced(sections, error);
  checkBackups(members, error);
  checkRelayPairs(sections, error);
  if (sections.replication && sections.replication.acks > sections.replication.copies) {
    error(["replication", "acks"], "must not be more than copies: no reply could ever wait for that many backups");
  }
  checkSpeakers(sections, node, error);
  if (sections.members && node !== undefined && !members.some(({ id }) => id === node)) {
    error(
      ["members"],
      `no member has the id of this node, "${node}"; there are ${members.map(({ id }) => id).join(", ")}`,
    );
  }
  if (timers && timers["peer-timeout"] <= 2 * timers["heartbeat-interval"]) {
    error(
      ["timers", "peer-timeout"],
      "must be more than two heartbeat intervals, or one lost heartbeat looks like death",
    );
  }
  if (registration && !registration.encapsulation.includes("ip-in-ip")) {
    error(
      ["registration", "encapsulation"],
      "must have ip-in-ip: a request without M and G asks for it (RFC 5944 3.8.3.1)",
    );
  }
  checkHealth(sections, error);
  warnAboutSilence(draft, problems);
  warnAboutReach(draft, problems);
}

type Report = (path: Path, message: string) => void;

function checkBackups(members: readonly Member[], error: Report): void {
  const known = new Set(members.map(({ id }) => id));
  members.forEach(({ id, backups }, index) => {
    backups.forEach((backup, place) => {
      const path = ["members", index, "backups", place];
      if (backup === id) error(path, "a member can't be its own backup");
      else if (!known.has(backup)) error(path, `there is no member ${backup}; there are ${[...known].join(", ")}`);
      else if (backups.indexOf(backup) !== place) error(path, `${backup} is named twice`);
    });
  });
}

function checkRelayPairs({ members, relay }: Draft["sections"], error: Report): void {
  const known = new Set(members?.map(({ id }) => id));
  const seen = new Set<string>();
  (relay?.pairs ?? []).forEach((pair, index) => {
    const path = ["relay", "pairs", index, "members"];
    const unknown = pair.members.find((id) => members !== undefined && !known.has(id));
    const name = pair.members.toSorted().join(" and ");
    if (unknown !== undefined) error(path, `there is no member ${unknown}; there are ${[...known].join(", ")}`);
    else if (new Set(pair.members).size < 2) error(path, "a pair is two different members");
    else if (seen.has(name)) error(path, `${name} are a pair already`);
    seen.add(name);
  });
}

function checkHealth({ health }: Draft["sections"], error: Report): void {
  if (!health) return;
  const { damping, "free-disk": freeDisk, exec } = health;
  if (damping.reuse >= damping.suppress) error(["health", "damping", "reuse"], "must be less than suppress");
  // RFC 2439 4.2: what may be reused within the longest time can't be more than this.
  const ceiling = damping.reuse * 2 ** (damping.maximum / damping["half-life"]);
  if (ceiling < damping.suppress) {
    const message = `is too short for damping to ever act: no penalty that decays to reuse in this time, by half in each half-life, is more than ${ceiling.toFixed(2)}, and suppress is ${damping.suppress}`;
    error(["health", "damping", "maximum"], message);
  }
  for (const limit of ["event-loop", "store-latency", "receive-overflows", "clock"] as const) {
    const { degraded, fail } = health[limit];
    if (fail < degraded) error(["health", limit, "fail"], "must not be less than degraded");
  }
  if (freeDisk.fail > freeDisk.degraded) error(["health", "free-disk", "fail"], "must not be more than degraded");
  const names = new Set<string>(SELF_CHECKS);
  for (const [index, { name }] of exec.entries()) {
    if (names.has(name)) error(["health", "exec", index, "name"], "there is a check of this name already");
    names.add(name);
  }
}

function checkAnnounced(sections: Draft["sections"], error: Report): void {
  const { announce = [], "virtual-network": network, "virtual-address": address } = sections;
  if (!network || address === undefined) return;
  const seen = new Set<string>();
  for (const [index, what] of announce.entries()) {
    const prefix =
      what === "network"
        ? formatPrefix(network)
        : what === "address"
          ? `${formatIpv4(address)}/32`
          : formatPrefix(what);
    if (seen.has(prefix)) error(["announce", index], `is announced already: ${prefix}`);
    seen.add(prefix);
  }
  const covers = announce.some((what) => typeof what === "string" || prefixContains(what, address));
  if (announce.length > 0 && !covers) {
    error(["announce"], `must cover the virtual address ${formatIpv4(address)}: nothing else leads requests here`);
  }
}

function checkDistinct(members: readonly Member[], error: Report): void {
  const rules: readonly { key: keyof Member; identity: (member: Member) => string | undefined }[] = [
    { key: "id", identity: ({ id }) => id },
    { key: "address", identity: (member) => formatEndpoint(member) },
    { key: "bgp", identity: ({ bgp }) => bgp && `router-id ${formatIpv4(bgp["router-id"])}` },
  ];
  for (const { key, identity } of rules) {
    const first = new Map<string, number>();
    for (const [index, member] of members.entries()) {
      const name = identity(member);
      if (name === undefined) continue;
      const earlier = first.get(name);
      if (earlier === undefined) first.set(name, index);
      else error(["members", index, key], `members[${earlier}] has the same: ${name}`);
    }
  }
}

/** A file that serves the whole cluster is checked for all members, unless it is known which one this is. */
function checkSpeakers(sections: Draft["sections"], node: string | undefined, error: Report): void {
  const { members = [], advertiser, announce = [] } = sections;
  for (const [index, what] of announce.entries()) {
    if (advertiser?.type !== "ospf" || what === "network" || (typeof what === "object" && what.length < 32)) continue;
    error(["announce", index], "can't be announced by OSPF: a single address is no network of an interface of its own");
  }
  for (const [index, { id, bgp, bfd }] of members.entries()) {
    if (advertiser?.type === "exabgp" && !bgp && (node === undefined || node === id)) {
      error(["members", index], "needs bgp, as the advertiser is of type exabgp");
    }
    const report = (section: string) => (neighbor: number) =>
      error(["members", index, section, "neighbors", neighbor], "is a neighbor already");
    repeated((bgp?.neighbors ?? []).map(({ address }) => address)).forEach(report("bgp"));
    repeated(bfd?.neighbors ?? []).forEach(report("bfd"));
  }
}

/** Routers keep the routes of who falls silent, until BFD or the hold time tells them. */
function warnAboutSilence({ source, sections }: Draft, problems: Problems): void {
  const { members = [], advertiser } = sections;
  if (advertiser?.type !== "exabgp" || advertiser["hold-time"] !== 0) return;
  for (const [index, { bgp, bfd }] of members.entries()) {
    const watching = new Set(bfd?.neighbors);
    const unwatched = (bgp?.neighbors ?? []).map(({ address }) => address).filter((router) => !watching.has(router));
    if (unwatched.length === 0) continue;
    const message = `has no bfd with ${unwatched.map(formatIpv4).join(", ")}, and hold-time is 0s: when this host vanishes, its routes stay for ever`;
    problems.warn(source, ["members", index], message);
  }
}

/** The places of values that have stood at an earlier one. */
function repeated(values: readonly number[]): number[] {
  return values.flatMap((value, place) => (values.indexOf(value) < place ? [place] : []));
}

function warnAboutReach({ source, sections, associations }: Draft, problems: Problems): void {
  const networks = homeNetworks(sections);
  const virtualNetwork = sections["virtual-network"];
  const reached = [virtualNetwork, ...(sections.announce ?? [])].filter((it) => typeof it === "object");
  for (const [index, network] of (sections.registration?.["home-networks"] ?? []).entries()) {
    if (
      virtualNetwork &&
      !reached.some(
        ({ address, length }) => network.length >= length && prefixContains({ address, length }, network.address),
      )
    ) {
      const message = `is not inside the virtual network ${formatPrefix(virtualNetwork)}: nothing announces it`;
      problems.warn(source, ["registration", "home-networks", index], message);
    }
  }
  for (const { source, base, lists } of associations) {
    for (const [index, entry] of lists.mobiles.entries()) {
      const address = entry["home-address"];
      const range = entry.range ?? (address === undefined ? undefined : { first: address, last: address });
      if (range && networks && !networks.some((network) => overlaps(range, network))) {
        problems.warn(source, [...base, "mobiles", index], "no home network has such home addresses");
      }
    }
  }
  if (sections["security-associations"] && associations.every(({ lists }) => lists.mobiles.length === 0)) {
    problems.warn(source, ["security-associations"], "there is no association with any mobile: none can register");
  }
}

function overlaps(range: Ipv4Range, network: Ipv4Prefix): boolean {
  return range.first <= directedBroadcast(network) && range.last >= network.address;
}
