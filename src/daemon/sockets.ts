import { kernelDrops } from "../adapters/net/kernel-drops.ts";
import { StreamChannels } from "../adapters/net/stream-channel.ts";
import { isOurAddress, type UdpListener, UdpSocket } from "../adapters/net/udp-socket.ts";
import type { Counters } from "../adapters/telemetry/counters.ts";
import type { EventLog } from "../adapters/telemetry/log.ts";
import type { Config } from "../config/config.ts";
import { type Endpoint, formatEndpoint, formatIpv4 } from "../core/wire/ipv4.ts";
import type { Driver } from "./driver.ts";
import { wantsLinkRelay } from "./make-link-relay.ts";
import type { ReplyPaths } from "./reply-paths.ts";
import { addVirtualAddress, removeVirtualAddress } from "./virtual-address.ts";

/** How often to check whether registrations can be received. */
const TENDING_INTERVAL_MS = 1000;

/**
 * The receive buffer for requests, which may come from strangers. With a longer queue good ones would be answered too late
 * to be of use: it holds some thousand datagrams, which take less than 100 ms to be read and refused.
 */
const BACKLOG_BYTES = 1024 * 1024;

/** The daemon's UDP sockets, its streams, and the virtual address that one of them is bound to. */
export class Sockets {
  /** Why registrations can't be received; `undefined` while they can. */
  registrationFailure: string | undefined = "not bound yet";
  /** Whether messages that others relay to our MAC address and the virtual IP address are received. */
  takesLinkRelay = false;
  #linkSocket: UdpSocket | undefined;
  readonly #config: Config;
  readonly #bootCount: number;
  readonly #driver: Driver;
  readonly #counters: Counters;
  readonly #log: EventLog;
  readonly #replyPaths: ReplyPaths;
  readonly #changed: () => void;
  /** The configuration of the last reload; `#config` is that of the start. */
  #live: Config;
  #timer: NodeJS.Timeout | undefined;
  #hasAddedAddress = false;
  #closed = false;

  constructor(
    config: Config,
    bootCount: number,
    driver: Driver,
    counters: Counters,
    log: EventLog,
    replyPaths: ReplyPaths,
    changed: () => void,
  ) {
    this.#config = config;
    this.#live = config;
    this.#bootCount = bootCount;
    this.#driver = driver;
    this.#counters = counters;
    this.#log = log;
    this.#replyPaths = replyPaths;
    this.#changed = changed;
  }

  /**
   * Rejects if the cluster port can't be bound. The registration port is retried until it can be, as its address may appear
   * later.
   */
  async open(): Promise<void> {
    const { address, port } = this.#config.self;
    this.#driver.clusterSocket = await this.#bindCluster({ address, port });
    await this.#openStreams();
    await this.#tend();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#driver.registrationSocket?.close();
    await this.#driver.streams?.close();
    await this.#driver.clusterSocket?.close();
    await this.#linkSocket?.close();
    // An address that another daemon of this host has added is left alone.
    if (this.#hasAddedAddress) await this.#manageAddress(removeVirtualAddress);
  }

  /** Other members may have been added, removed or moved; this one stays where it is. */
  reconfigure(config: Config): void {
    this.#live = config;
    this.#driver.streams?.setMembers(config.members);
  }

  /** Brings the counter up to date and returns the sum. */
  countOverflows(): number {
    const { registrationSocket, clusterSocket } = this.#driver;
    let total = 0;
    for (const [channel, socket] of Object.entries({ registration: registrationSocket, cluster: clusterSocket })) {
      if (socket === undefined) continue;
      const drops = kernelDrops(socket.local);
      this.#counters.setLabeled("receive-overflows", channel, drops);
      total += drops;
    }
    return total;
  }

  async #openStreams(): Promise<void> {
    const { cluster, secret, node } = this.#config;
    const driver = this.#driver;
    driver.streams = await StreamChannels.open({
      cluster,
      secret,
      self: node,
      members: this.#live.members,
      bootCount: this.#bootCount,
      maximumClockSkewMs: () => this.#live.timers.maximumClockSkewMs,
      wallMs: () => driver.time().wallMs,
      listener: {
        opened: (peer) => driver.input({ type: "stream-opened", peer }),
        closed: (peer) => driver.input({ type: "stream-closed", peer }),
        received: (peer, bytes) => driver.input({ type: "stream", peer, bytes }),
      },
      log: this.#log,
      count: (reason) => this.#counters.addLabeled("streams-ended", reason),
    });
  }

  /** Checks now and at intervals, as an address can also be lost, for example when the host's network is restarted. */
  async #tend(): Promise<void> {
    const before = this.registrationFailure;
    if (this.#config.manageAddress) await this.#keepAddress();
    this.registrationFailure = await this.#findFailure();
    if (this.registrationFailure === undefined) await this.#replyPaths.look(this.#config.self.listen.address);
    if (wantsLinkRelay(this.#config)) this.takesLinkRelay = await this.#listenOnLink();
    if (this.#closed) return;
    this.#timer = setTimeout(() => void this.#tend(), TENDING_INTERVAL_MS);
    if (this.registrationFailure !== before) this.#changed();
  }

  async #keepAddress(): Promise<void> {
    const address = this.#config.virtualAddress;
    if (this.#hasAddedAddress && (await isOurAddress(address))) return;
    if (this.#closed || !(await this.#manageAddress(addVirtualAddress))) return;
    this.#hasAddedAddress = true;
    this.#log.event("address-added", { address: formatIpv4(address) });
  }

  async #findFailure(): Promise<string | undefined> {
    const destination = this.#config.self.listen;
    if (this.#driver.registrationSocket !== undefined) {
      // The socket stays open without its address, and works again once the address is back.
      const isOurs = await isOurAddress(destination.address);
      return isOurs ? undefined : `${formatIpv4(destination.address)} is no address of this host`;
    }
    try {
      this.#driver.registrationSocket = await this.#bind(destination, "registration", (payload, source) =>
        this.#driver.input({ type: "datagram", payload, source, destination }),
      );
      return undefined;
    } catch (error) {
      return `${formatEndpoint(destination)}: ${(error as Error).message}`;
    }
  }

  /** Whether the host receives what is sent to the virtual address. */
  async #listenOnLink(): Promise<boolean> {
    const address = this.#config.virtualAddress;
    if (this.#linkSocket !== undefined) return await isOurAddress(address);
    try {
      this.#linkSocket = await this.#bindCluster({ address, port: this.#config.self.port });
      return true;
    } catch {
      // Heartbeats tell the others, which then relay to our own address.
      return false;
    }
  }

  #bindCluster(local: Endpoint): Promise<UdpSocket> {
    return this.#bind(local, "cluster", (payload, source) => this.#driver.input({ type: "frame", payload, source }));
  }

  #bind(
    local: Endpoint,
    channel: "registration" | "cluster",
    received: (payload: Uint8Array, source: Endpoint) => void,
  ): Promise<UdpSocket> {
    const listener: UdpListener = {
      received,
      sendFailed: (destination, code) => {
        this.#counters.addLabeled("send-errors", channel);
        if (channel === "registration") this.#replyPaths.failed(destination, code);
        this.#log.event("send-failed", { destination: formatEndpoint(destination), err: code });
      },
      failed: (err) => {
        this.#counters.addLabeled("receive-errors", channel);
        this.#log.event("receive-failed", { err });
      },
    };
    return UdpSocket.bind(local, listener, channel === "registration" ? { receiveBufferBytes: BACKLOG_BYTES } : {});
  }

  async #manageAddress(manage: (address: string) => Promise<void>): Promise<boolean> {
    const address = formatIpv4(this.#config.virtualAddress);
    try {
      await manage(address);
      return true;
    } catch (err) {
      this.#log.event("address-failed", { address, err });
      return false;
    }
  }
}
