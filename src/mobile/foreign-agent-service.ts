import { UdpSocket } from "../adapters/net/udp-socket.ts";
import { type Endpoint, formatEndpoint } from "../core/wire/ipv4.ts";
import { ForeignAgent, type ForeignAgentOutput, type ForeignAgentSettings } from "./foreign-agent.ts";
import { JsonLinesFile } from "./json-lines-file.ts";
import type { MobileTunnels } from "./mobile-tunnels.ts";
import type { Visitor } from "./visitor-list.ts";

const TICK_MS = 500;

/** A running foreign agent: the core, with sockets, a clock and a log file. */
export class ForeignAgentService {
  readonly agent: ForeignAgent;
  readonly #sockets = new Map<string, UdpSocket>();
  readonly #ticker: NodeJS.Timeout;
  readonly tunnels: MobileTunnels | undefined;
  /** How many could not be made or removed. */
  tunnelsFailed = 0;
  #log: JsonLinesFile | undefined;

  private constructor(agent: ForeignAgent, log: JsonLinesFile | undefined, tunnels: MobileTunnels | undefined) {
    this.agent = agent;
    this.#log = log;
    this.tunnels = tunnels;
    this.#ticker = setInterval(() => this.#perform(this.agent.tick(Date.now())), TICK_MS);
  }

  /**
   * Rejects with a system error if an address can't be bound or the log file can't be opened.
   *
   * @param tunnels for its visitors; the service closes them in the end
   */
  static async start(
    settings: ForeignAgentSettings,
    logFile: string | undefined,
    tunnels?: MobileTunnels,
  ): Promise<ForeignAgentService> {
    const log = logFile === undefined ? undefined : new JsonLinesFile(logFile);
    const service = new ForeignAgentService(new ForeignAgent(settings), log, tunnels);
    try {
      for (const local of [settings.relayFrom, ...settings.listen]) await service.#bind(local);
    } catch (error) {
      await service.stop();
      throw error;
    }
    return service;
  }

  async stop(): Promise<void> {
    clearInterval(this.#ticker);
    const sockets = [...this.#sockets.values()];
    this.#sockets.clear();
    await Promise.all(sockets.map((socket) => socket.close()));
    this.tunnels?.close();
    this.#log?.close();
    this.#log = undefined;
  }

  async #bind(local: Endpoint): Promise<void> {
    const name = formatEndpoint(local);
    if (this.#sockets.has(name)) return;
    const socket = await UdpSocket.bind(local, {
      received: (payload, source) => this.#perform(this.agent.received({ payload, source, local }, Date.now())),
      sendFailed: (to, code) => this.#perform(this.agent.sendFailed(to, code, Date.now())),
      // Errors of a bound socket concern single datagrams; those that matter come back as `sendFailed`.
      failed: () => {},
    });
    this.#sockets.set(name, socket);
  }

  #perform(outputs: readonly ForeignAgentOutput[]): void {
    for (const output of outputs) {
      if (output.kind === "send") this.#sockets.get(formatEndpoint(output.from))?.send(output.payload, output.to);
      else if (output.kind === "log") this.#log?.write(output.entry);
      else this.#tunnel(output.kind, output.visitor);
    }
  }

  /** A visitor that there can be no tunnel for, such as one that is on no link of ours, does not keep the others from theirs. */
  #tunnel(kind: "arrived" | "departed", visitor: Visitor): void {
    try {
      if (kind === "arrived") this.tunnels?.put(visitor, visitor.mobile.address);
      else this.tunnels?.remove(visitor);
    } catch {
      this.tunnelsFailed += 1;
    }
  }
}
