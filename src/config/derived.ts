/**
 * What the configuration leaves to be derived: by the start, and by the check too, so that neither finds what the other did
 * not.
 */
import { dirname, join } from "node:path";
import type { Endpoint, Ipv4Prefix } from "../core/wire/ipv4.ts";
import type { ConfigFile } from "./schema.ts";
import type { Source } from "./source.ts";

/** The port of registrations, RFC 5944 3.3. */
const REGISTRATION_PORT = 434;

/** Where a member receives registrations. */
export function listenEndpoint(
  { listen }: Pick<ConfigFile["members"][number], "listen">,
  virtualAddress: ConfigFile["virtual-address"],
): Endpoint {
  return listen ?? { address: virtualAddress, port: REGISTRATION_PORT };
}

/** Whose addresses may be home addresses; `undefined` where neither they nor the virtual network are sound. */
export function homeNetworks(sections: Pick<ConfigFile, "registration" | "virtual-network">): Ipv4Prefix[];
export function homeNetworks(sections: Partial<ConfigFile>): Ipv4Prefix[] | undefined;
export function homeNetworks(sections: Partial<ConfigFile>): Ipv4Prefix[] | undefined {
  const network = sections["virtual-network"];
  return sections.registration?.["home-networks"] ?? (network && [network]);
}

/** Absolute paths on the host of a member. */
export interface MemberPaths {
  readonly dataDirectory: string;
  readonly controlSocket: string;
  /** What it shares with ExaBGP. */
  readonly exabgpDirectory: string;
  /** The socket of its ospfd. */
  readonly vtySocket: string;
}

/** Of a configuration that is for several members as well: `{node}` stands for the member's id. */
export function memberPaths(
  source: Source,
  sections: Pick<ConfigFile, "data-directory" | "control-socket" | "advertiser">,
  member: string,
): MemberPaths {
  const resolve = (path: string) => source.resolve(path.replaceAll("{node}", member));
  const { advertiser } = sections;
  const controlSocket = resolve(sections["control-socket"]);
  const exabgpDirectory = advertiser.type === "exabgp" ? advertiser["runtime-directory"] : undefined;
  return {
    dataDirectory: resolve(sections["data-directory"]),
    controlSocket,
    // Beside the control socket: one place for what lives as long as the daemon.
    exabgpDirectory:
      exabgpDirectory === undefined ? join(dirname(controlSocket), `exabgp-${member}`) : resolve(exabgpDirectory),
    vtySocket: advertiser.type === "ospf" ? join(resolve(advertiser["vty-directory"]), "ospfd.vty") : "",
  };
}
