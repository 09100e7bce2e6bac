import { Command, Option } from "commander";
import { type Endpoint, formatEndpoint, formatIpv4, type Ipv4Address } from "../core/wire/ipv4.ts";
import { INFINITE_LIFETIME } from "../core/wire/registration-message.ts";
import { describeReplyCode } from "../core/wire/reply-code.ts";
import type { ForeignAgentCounters } from "../mobile/foreign-agent.ts";
import { ForeignAgentService } from "../mobile/foreign-agent-service.ts";
import { externalAddresses } from "../mobile/local-address.ts";
import { MobileTunnels } from "../mobile/mobile-tunnels.ts";
import { fields, table } from "../text/columns.ts";
import { formatSeconds } from "../text/units.ts";
import { CliError, ExitCode } from "./exit.ts";
import { addAssociationOptions, associationOf } from "./key-options.ts";
import {
  integerBetween,
  parseHostAddress,
  parseLifetime,
  parseRegistrationEndpoint,
  REGISTRATION_PORT,
} from "./option-values.ts";
import { type OutputFormat, outputOption, print, tell } from "./output.ts";
import { explainingSystemErrors } from "./system-errors.ts";

interface RunOptions {
  readonly careOfAddress?: Ipv4Address;
  readonly port: number;
  readonly listen?: readonly Endpoint[];
  readonly homeAgentPort: number;
  readonly maximumLifetime: number;
  readonly maximumPending: number;
  readonly maximumVisitors: number;
  readonly minimalEncapsulation: boolean;
  readonly greEncapsulation: boolean;
  readonly tunnels?: string | true;
  readonly log?: string;
  readonly output: OutputFormat;
}

/** `anyhome fa …`: a foreign agent to try a cluster with. */
export function faCommand(): Command {
  return new Command("fa").description("act as a foreign agent").addCommand(runCommand());
}

function runCommand(): Command {
  const port = integerBetween(1, 65_535);
  const command = new Command("run")
    .description("relay registrations between mobiles and their home agents until interrupted")
    .addOption(
      new Option(
        "--care-of-address <address>",
        "the address offered to mobiles, which is also the source of relayed messages",
      )
        .argParser(parseHostAddress)
        .env("ANYHOME_CARE_OF_ADDRESS"),
    )
    .option("--port <port>", "the port of the care-of address to relay from", port, REGISTRATION_PORT)
    .option(
      "--listen <address>",
      "a further address at which mobiles reach it, ADDRESS[:PORT]; repeatable",
      collectEndpoints,
    )
    .option("--home-agent-port <port>", "where home agents receive registrations", port, REGISTRATION_PORT)
    .option("--maximum-lifetime <seconds>", "longer ones are denied (69)", parseLifetime, INFINITE_LIFETIME)
    .option("--maximum-pending <count>", "unanswered requests to hold", integerBetween(1, 1_000_000), 10_000)
    .option("--maximum-visitors <count>", "mobiles to serve", integerBetween(1, 10_000_000), 100_000)
    .option("--no-minimal-encapsulation", "deny requests for it (72)")
    .option("--no-gre-encapsulation", "deny requests for it (72)")
    .option("--tunnels [device]", "carry packets of visitors, by a TUN interface of this name (anyhome-fa)")
    .option("--log <file>", "append a JSON line for each message that is relayed or denied");
  addAssociationOptions(command, { prefix: "", sharedWith: "home agents" });
  addAssociationOptions(command, { prefix: "mn-", sharedWith: "mobile nodes" });
  return command
    .addOption(outputOption())
    .addHelpText(
      "after",
      `
Without --tunnels it only relays messages. With it, packets of visitors come out of tunnels here and go to the address from
which they registered, and packets of visitors with T go back through tunnels; this needs CAP_NET_ADMIN and CAP_NET_RAW.
It prints visitors and counters on SIGUSR2 and at its end.

Examples:
  anyhome fa run
  anyhome fa run --care-of-address 10.1.11.2 --spi 300 --key-file /etc/anyhome/fa.key --log relayed.ndjson
  anyhome fa run --care-of-address 10.1.11.2 --listen 10.1.21.1 --tunnels
  anyhome fa run --care-of-address 127.0.0.11 --port 4434 --home-agent-port 4434`,
    )
    .action((options: RunOptions) => run(command, options));
}

function collectEndpoints(text: string, previous: readonly Endpoint[] = []): readonly Endpoint[] {
  return [...previous, parseRegistrationEndpoint(text)];
}

async function run(command: Command, options: RunOptions): Promise<void> {
  const { maximumPending, maximumVisitors, homeAgentPort, log, output } = options;
  const careOfAddress = options.careOfAddress ?? onlyExternalAddress();
  const relayFrom = { address: careOfAddress, port: options.port };
  const listen = options.listen ?? [];
  const policy = {
    careOfAddress,
    maximumLifetimeSeconds: options.maximumLifetime,
    minimalEncapsulation: options.minimalEncapsulation,
    greEncapsulation: options.greEncapsulation,
    homeAgentAssociation: associationOf(command, ""),
    mobileAssociation: associationOf(command, "mn-"),
  };
  const interrupted = Promise.withResolvers<void>();
  const stop = () => interrupted.resolve();
  process.once("SIGINT", stop).once("SIGTERM", stop);
  const settings = { policy, listen, relayFrom, homeAgentPort, maximumPending, maximumVisitors };
  const service = await explainingSystemErrors(async () => {
    const tunnels = await openTunnels(options.tunnels, careOfAddress, (error) => interrupted.reject(error));
    return ForeignAgentService.start(settings, log, tunnels);
  });
  const show = () => print(statusOf(service, careOfAddress), output, describe);
  const showNow = () => void show();
  process.on("SIGUSR2", showNow);
  const reachable = [relayFrom, ...listen].map(formatEndpoint).join(", ");
  tell(`foreign agent with care-of address ${formatIpv4(careOfAddress)} listens on ${reachable}`);
  await interrupted.promise.catch(async (error: Error) => {
    await service.stop();
    throw new CliError(`the tunnels don't work any more: ${error.message}`);
  });
  process.off("SIGINT", stop).off("SIGTERM", stop).off("SIGUSR2", showNow);
  await service.stop();
  await show();
}

async function openTunnels(
  device: string | true | undefined,
  careOfAddress: Ipv4Address,
  failed: (error: Error) => void,
): Promise<MobileTunnels | undefined> {
  if (device === undefined) return undefined;
  return MobileTunnels.open({ device: device === true ? "anyhome-fa" : device, careOfAddress, failed });
}

function onlyExternalAddress(): Ipv4Address {
  const [address, ...others] = externalAddresses();
  if (address !== undefined && others.length === 0) return address;
  const found = address === undefined ? "none" : [address, ...others].map(formatIpv4).join(", ");
  throw new CliError(
    `which address is the care-of address? --care-of-address says so; this host has ${found}`,
    ExitCode.usage,
  );
}

/** What a foreign agent knows; `-o json` prints it as it is. */
interface ForeignAgentStatus {
  readonly careOfAddress: string;
  readonly pending: number;
  readonly visitors: readonly VisitorView[];
  readonly counters: ForeignAgentCounters;
  /** `null` without --tunnels. */
  readonly tunnels: TunnelsView | null;
}

interface TunnelsView {
  /** Those of visitors that could not be made or removed. */
  readonly failed: number;
  /** Packets, by reason. */
  readonly drops: Readonly<Record<string, number>>;
}

interface VisitorView {
  readonly homeAddress: string;
  readonly nai: string | null;
  readonly homeAgent: string;
  readonly careOfAddress: string;
  readonly mobile: string;
  /** Seconds; 65535 is infinite. */
  readonly lifetime: number;
  /** ISO 8601; `null` if never. */
  readonly expiresAt: string | null;
  /** Packets through its tunnel. */
  readonly toMobile: number;
  readonly fromMobile: number;
}

function statusOf(
  { agent, tunnels, tunnelsFailed }: ForeignAgentService,
  careOfAddress: Ipv4Address,
): ForeignAgentStatus {
  return {
    careOfAddress: formatIpv4(careOfAddress),
    pending: agent.pendingCount,
    visitors: agent.visitors.map((visitor) => ({
      homeAddress: formatIpv4(visitor.homeAddress),
      nai: visitor.nai ?? null,
      homeAgent: formatIpv4(visitor.homeAgent),
      careOfAddress: formatIpv4(visitor.careOfAddress),
      mobile: formatEndpoint(visitor.mobile),
      lifetime: visitor.lifetimeSeconds,
      expiresAt: Number.isFinite(visitor.expiresAtMs) ? new Date(visitor.expiresAtMs).toISOString() : null,
      toMobile: tunnels?.trafficOf(visitor.homeAddress).packetsToMobile ?? 0,
      fromMobile: tunnels?.trafficOf(visitor.homeAddress).packetsFromMobile ?? 0,
    })),
    counters: agent.counters,
    tunnels: tunnels === undefined ? null : { failed: tunnelsFailed, drops: Object.fromEntries(tunnels.drops) },
  };
}

function describe({ careOfAddress, pending, visitors, counters, tunnels }: ForeignAgentStatus): string {
  const summary = fields([
    ["Care-of address", careOfAddress],
    ["Requests relayed", String(counters.requestsRelayed)],
    ["Replies relayed", String(counters.repliesRelayed)],
    ["Pending", String(pending)],
    ...Object.entries(counters.denied).map(
      ([code, count]) => ["Denied", `${count}: ${describeReplyCode(Number(code))}`] as const,
    ),
    ...Object.entries(counters.dropped).map(([reason, count]) => ["Dropped", `${count}: ${reason}`] as const),
    ["Tunnels failed", tunnels === null ? undefined : String(tunnels.failed)],
    ...Object.entries(tunnels?.drops ?? {}).map(
      ([reason, count]) => ["Packets dropped", `${count}: ${reason}`] as const,
    ),
    ["Visitors", String(visitors.length)],
  ]);
  if (visitors.length === 0) return summary;
  const rows = visitors.map((visitor) => [
    visitor.homeAddress,
    visitor.nai ?? "",
    visitor.homeAgent,
    visitor.careOfAddress,
    visitor.mobile,
    visitor.expiresAt === null ? "infinite" : formatSeconds(visitor.lifetime),
    tunnels === null ? "" : `${visitor.toMobile} / ${visitor.fromMobile}`,
  ]);
  const head = ["home address", "nai", "home agent", "care-of address", "mobile", "lifetime", "packets to / from it"];
  const list = table(tunnels === null ? head.slice(0, -1) : head, rows);
  return `${summary}\n\n${list}`;
}
