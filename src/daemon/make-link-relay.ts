import { LinkRelay, openLinks } from "../adapters/net/mac-relay.ts";
import type { Counters } from "../adapters/telemetry/counters.ts";
import type { EventLog } from "../adapters/telemetry/log.ts";
import type { Config, Member } from "../config/config.ts";
import type { HomeAgent } from "../core/home-agent/home-agent.ts";
import type { MemberId } from "../core/names.ts";

/** `undefined` if no member is configured to be relayed to by MAC address. */
export async function makeLinkRelay(
  config: Config,
  agent: HomeAgent,
  counters: Counters,
  log: EventLog,
): Promise<LinkRelay | undefined> {
  if (!wantsLinkRelay(config)) return undefined;
  return new LinkRelay(
    {
      self: config.self,
      virtualAddress: config.virtualAddress,
      peers: linkPeers(config),
      isTaking: (member) => agent.peer(member)?.takesLinkRelay ?? false,
      sent: (addressing) => counters.addLabeled("relay-frames-sent", addressing),
      changed: (member, path) => {
        if (path.addressing === "l2") log.event("relay-by-mac", { member, mac: path.mac });
        else log.event("relay-by-ip", { member, reason: path.reason });
      },
    },
    await openLinks(),
  );
}

/** Whether some pair with this member is configured to relay by MAC address. */
export function wantsLinkRelay({ relay }: Config): boolean {
  return [...relay.addressing.values()].includes("l2");
}

/** Members to relay to by MAC address. */
export function linkPeers({ members, relay }: Config): ReadonlyMap<MemberId, Member> {
  const peers = members.filter(({ id }) => relay.addressing.get(id) === "l2");
  return new Map(peers.map((member) => [member.id, member]));
}
