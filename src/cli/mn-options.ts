/** What the commands of `anyhome mn` have in common: the home agent, the route to it, and the keys. */
import { type Command, Option } from "commander";
import type { Endpoint, Ipv4Address } from "../core/wire/ipv4.ts";
import { RequestFlag } from "../core/wire/registration-message.ts";
import { localAddressToward } from "../mobile/local-address.ts";
import type { MobileAssociations } from "../mobile/mobile-messages.ts";
import { addAssociationOptions, associationOf, requiredAssociation } from "./key-options.ts";
import { parseAddress, parseFlags, parseHostAddress, parseRegistrationEndpoint } from "./option-values.ts";

export const DEFAULT_LIFETIME_SECONDS = 1800;

export interface RouteOptions {
  readonly homeAgent: Endpoint;
  readonly foreignAgent?: Endpoint;
  readonly careOfAddress?: Ipv4Address;
  readonly localAddress?: Ipv4Address;
}

export function addRouteOptions(command: Command): Command {
  const homeAgent = new Option("--home-agent <address>", "the home agent, ADDRESS[:PORT]")
    .argParser(parseRegistrationEndpoint)
    .env("ANYHOME_HOME_AGENT")
    .makeOptionMandatory();
  const foreignAgent = new Option("--foreign-agent <address>", "register through it, ADDRESS[:PORT]")
    .argParser(parseRegistrationEndpoint)
    .env("ANYHOME_FOREIGN_AGENT");
  command
    .addOption(homeAgent)
    .addOption(foreignAgent)
    .option(
      "--care-of-address <address>",
      "default: the foreign agent's address, or the one this host sends from",
      parseAddress,
    )
    .option("--local-address <address>", "send from this address of this host", parseHostAddress);
  addAssociationOptions(command, {
    prefix: "",
    sharedWith: "the home agent",
    environment: { spi: "ANYHOME_MN_SPI", key: "ANYHOME_MN_KEY" },
  });
  return addAssociationOptions(command, { prefix: "fa-", sharedWith: "the foreign agent" });
}

export function flagsOption(): Option {
  return new Option("--flags <letters>", "bits of the request: S B D M G T; D is set if there is no foreign agent")
    .argParser(parseFlags)
    .default(0, "none");
}

/** The route that a mobile's requests take. */
export interface Route {
  /** The foreign agent, or the home agent itself. */
  readonly target: Endpoint;
  readonly local: Ipv4Address;
  readonly careOfAddress: Ipv4Address;
  /** `RequestFlag` bits. */
  readonly flags: number;
}

/** Without a foreign agent the care-of address is co-located: this host's own (RFC 5944 1.2, flag D). */
export async function routeOf(options: RouteOptions, flags: number): Promise<Route> {
  const { homeAgent, foreignAgent, careOfAddress, localAddress } = options;
  const target = foreignAgent ?? homeAgent;
  const local = localAddress ?? (await localAddressToward(target));
  const allFlags = foreignAgent === undefined ? flags | RequestFlag.D : flags;
  const isCoLocated = (allFlags & RequestFlag.D) !== 0;
  return {
    target,
    local,
    flags: allFlags,
    careOfAddress: careOfAddress ?? (isCoLocated ? local : target.address),
  };
}

/** Throws a CliError if there is no key. */
export function mobileAssociations(command: Command): MobileAssociations {
  return {
    homeAgent: requiredAssociation(command, "", "--key-hex, --key-file or ANYHOME_MN_KEY"),
    foreignAgent: associationOf(command, "fa-"),
  };
}
