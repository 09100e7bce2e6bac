/** From a configuration file to the `Config` that the daemon is built from. */
import { INFINITE_LIFETIME } from "../wire/registration-message.ts";
import { type ResolvedAssociations, resolveAssociations } from "./associations.ts";
import type { AdvertiserConfig, BgpConfig, Config, Member } from "./config.ts";
import { crossCheck } from "./cross-checks.ts";
import { type Draft, readDraft } from "./draft.ts";
import { ConfigError, type ConfigProblem, Problems } from "./problem.ts";
import type { ConfigFile } from "./schema.ts";
import { readSecretFile } from "./secrets.ts";
import type { Source } from "./source.ts";

export interface Overrides {
  /** Comes before `node` in the file. */
  readonly node?: string | undefined;
}

export interface LoadedConfig {
  readonly config: Config;
  /** What deserves the operator's attention though it can be used. */
  readonly warnings: readonly ConfigProblem[];
}

/** Throws a ConfigError with everything that is wrong. */
export function loadConfig(file: string, overrides: Overrides = {}): LoadedConfig {
  const problems = new Problems();
  const checked = check(file, overrides, problems);
  if (checked && checked.node === undefined) {
    const message = "which member this is must be said by --node, by ANYHOME_NODE, or by the key node";
    problems.error(checked.source, [], message);
  }
  if (!checked || problems.failed) throw new ConfigError(problems.sorted());
  return { config: resolve(checked), warnings: problems.sorted() };
}

/** Everything that is wrong with a configuration, and what is unwise; not to know the node is neither. */
export function checkConfig(file: string, overrides: Overrides = {}): readonly ConfigProblem[] {
  const problems = new Problems();
  try {
    check(file, overrides, problems);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return problems.sorted();
}

/** All that `Config` is made of; only sound if no problem was an error. */
interface Checked {
  readonly source: Source;
  readonly node: string | undefined;
  readonly sections: ConfigFile;
  readonly secret: Uint8Array;
  readonly associations: ResolvedAssociations;
}

const MINIMUM_SECRET_BYTES = 32;

/** The longest path that fits into a Unix socket address on Linux. */
const MAXIMUM_SOCKET_PATH_BYTES = 107;

function check(file: string, overrides: Overrides, problems: Problems): Checked | undefined {
  const draft = readDraft(file, problems);
  const node = overrides.node ?? draft.sections.node;
  crossCheck(draft, node, problems);
  checkSocketPath(draft, node, problems);
  const secret = readClusterSecret(draft, problems);
  const associations = resolveAssociations(draft.associations, problems);
  if (problems.failed || !secret) return undefined;
  return { source: draft.source, node, sections: draft.sections as ConfigFile, secret, associations };
}

function readClusterSecret({ source, sections }: Draft, problems: Problems): Uint8Array | undefined {
  const name = sections["secret-file"];
  if (name === undefined) return undefined;
  const secret = readSecretFile(name, source, ["secret-file"], problems);
  if (secret && secret.length < MINIMUM_SECRET_BYTES) {
    const message = `the secret must have at least ${MINIMUM_SECRET_BYTES} bytes, found ${secret.length}; openssl rand -hex 32 makes one`;
    problems.error(source, ["secret-file"], message);
  }
  return secret;
}

function checkSocketPath({ source, sections }: Draft, node: string | undefined, problems: Problems): void {
  const path = sections["control-socket"];
  if (path !== undefined && Buffer.byteLength(resolvePath(source, path, node ?? "")) > MAXIMUM_SOCKET_PATH_BYTES) {
    const message = `must not be longer than ${MAXIMUM_SOCKET_PATH_BYTES} bytes, as an absolute path`;
    problems.error(source, ["control-socket"], message);
  }
}

function resolvePath(source: Source, path: string, node: string): string {
  return source.resolve(path.replaceAll("{node}", node));
}

function resolve({ source, node, sections, secret, associations }: Checked): Config {
  const members = sections.members.map((member) => resolveMember(member, sections));
  const self = members.find(({ id }) => id === node);
  if (!self) throw new Error("a checked configuration names one of its members as this node");
  const { timers, relay, registration } = sections;
  const lifetimeMs = registration["maximum-lifetime"];
  return {
    cluster: sections.cluster,
    node: self.id,
    members,
    self,
    virtualAddress: sections["virtual-address"],
    virtualNetwork: sections["virtual-network"],
    manageAddress: sections["manage-address"],
    secret,
    dataDirectory: resolvePath(source, sections["data-directory"], self.id),
    controlSocket: resolvePath(source, sections["control-socket"], self.id),
    timers: {
      heartbeatIntervalMs: timers["heartbeat-interval"],
      peerTimeoutMs: timers["peer-timeout"],
      relayTimeoutMs: timers["relay-timeout"],
    },
    relay: { hopLimit: relay["hop-limit"], maximumPending: relay["maximum-pending"] },
    placement: { loadFactor: sections.placement["load-factor"] },
    registration: {
      virtualAddress: sections["virtual-address"],
      homeNetworks: registration["home-networks"] ?? [sections["virtual-network"]],
      maximumLifetimeSeconds: lifetimeMs === Number.POSITIVE_INFINITY ? INFINITE_LIFETIME : lifetimeMs / 1000,
      maximumSimultaneousBindings: registration["maximum-simultaneous-bindings"],
      minimalEncapsulation: registration.encapsulation.includes("minimal"),
      greEncapsulation: registration.encapsulation.includes("gre"),
      reverseTunneling: registration["reverse-tunneling"],
      prohibitedCareOfNetworks: registration["prohibited-care-of-networks"],
      authenticationFailureRepliesPerSecond: registration["authentication-failure-replies-per-second"],
      pool: self.pool,
      otherPools: members.flatMap((member) => (member === self ? [] : member.pool)),
      poolStickinessMs: registration["pool-stickiness"],
    },
    mobileAssociations: associations.mobiles,
    foreignAgentAssociations: associations.foreignAgents,
    advertiser: resolveAdvertiser(sections.advertiser),
    log: sections.log,
  };
}

/** The port of registrations, RFC 5944 3.3. */
const REGISTRATION_PORT = 434;

function resolveMember(member: ConfigFile["members"][number], sections: ConfigFile): Member {
  const { id, address, port, weight, pool, bgp } = member;
  const listen = member.listen ?? { address: sections["virtual-address"], port: REGISTRATION_PORT };
  return { id, address, port, weight, pool, listen, bgp: bgp && resolveBgp(bgp, member) };
}

function resolveBgp(
  bgp: NonNullable<ConfigFile["members"][number]["bgp"]>,
  { address }: ConfigFile["members"][number],
): BgpConfig {
  return {
    as: bgp.as,
    routerId: bgp["router-id"],
    localAddress: bgp["local-address"] ?? address,
    neighbors: bgp.neighbors,
  };
}

function resolveAdvertiser(advertiser: ConfigFile["advertiser"]): AdvertiserConfig {
  if (advertiser.type === "none") return { type: "none" };
  return {
    type: "exabgp",
    holdTimeSeconds: advertiser["hold-time"] / 1000,
    heartbeatTimeoutMs: advertiser["heartbeat-timeout"],
  };
}
