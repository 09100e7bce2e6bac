/**
 * Announces through an ExaBGP, which is our child or runs beside us under another supervisor.
 *
 *     daemon ── this advertiser ──(execa, dies with us)──▶ ExaBGP ──BGP──▶ routers
 *                    │                                       │ stdin, stdout: text API
 *                    └──────── unix socket, NDJSON ─────── helper (Python)
 *
 * Every failure of a part leads to the same place: no route. The helper withdraws when the daemon is gone or silent; we
 * kill ExaBGP, which closes its sessions, when the helper is gone or doesn't answer; and the kernel kills ExaBGP when we
 * die. docs/advertiser.md has the protocol, and each failure with its measured time.
 */
import type { MemberId } from "../../../core/names.ts";
import { formatIpv4, formatPrefix } from "../../../core/wire/ipv4.ts";
import type { Counters } from "../../telemetry/counters.ts";
import type { Advertisement, Advertiser, AdvertiserListener, AdvertiserStatus, NeighborStatus } from "../advertiser.ts";
import type { Announcer } from "../announcers.ts";
import { memberCommunity } from "../announcers.ts";
import { parseEvent, printable, routeCommands, type SpeakerEvent } from "./api-dialect.ts";
import type { Report } from "./helper-channel.ts";
import { RoutingTable, SETTLE_MS } from "./routing-table.ts";
import { SidecarSpeaker } from "./sidecar-speaker.ts";
import type { Speaker, SpeakerOptions } from "./speaker.ts";
import { SpeakerSupervisor } from "./speaker-supervisor.ts";

export interface ExabgpAdvertiserOptions extends SpeakerOptions {
  /** Without any BGP session for this long, ExaBGP is restarted. Default 20,000. */
  readonly sessionPatienceMs?: number;
  /** All members that announce, and which of them this one is. */
  readonly members: readonly Announcer[];
  readonly self: MemberId;
  readonly counters: Counters;
}

/** ExaBGP's pause between attempts grows to 60 s and never shrinks again, and the kernel's between SYNs grows too. */
const DEFAULT_SESSION_PATIENCE_MS = 20_000;
const PATHS_SETTLE_MS = 20;
/** How long `stop` waits for the withdrawal before it stops ExaBGP, which withdraws too. */
const WITHDRAWAL_DEADLINE_MS = 1000;

export class ExabgpAdvertiser implements Advertiser {
  readonly #options: ExabgpAdvertiserOptions;
  readonly #listener: AdvertiserListener;
  readonly #speaker: Speaker;
  readonly #neighbors: Map<string, NeighborStatus>;
  readonly #table: RoutingTable;
  readonly #self: Announcer;
  #desired: readonly Advertisement[] = [];
  /** What ExaBGP has confirmed of the last `set`. */
  #taken: readonly Advertisement[] = [];
  /** The same, and what routers still have from us. */
  #applied: readonly Advertisement[] = [];
  /** The number of the last `set` sent. */
  #sequence = 0;
  #stopping = false;
  #withdrawn: (() => void) | undefined;
  #patience: NodeJS.Timeout | undefined;
  /** Runs until the listener is told of new paths. */
  #pathsSettling: NodeJS.Timeout | undefined;
  /** Runs until the report of the last router to come up is complete. */
  #viewSettling: NodeJS.Timeout | undefined;

  constructor(options: ExabgpAdvertiserOptions, listener: AdvertiserListener) {
    this.#options = options;
    this.#listener = listener;
    this.#neighbors = new Map(
      options.bgp.neighbors.map(({ address }) => {
        const text = formatIpv4(address);
        return [text, { address: text, state: "down", sinceMs: Date.now() }];
      }),
    );
    const self = options.members.find(({ id }) => id === options.self);
    if (!self) throw new Error(`${options.self} is not among those that announce`);
    this.#self = self;
    this.#table = new RoutingTable({
      neighbors: options.bgp.neighbors.map(({ address, as }) => ({ address: formatIpv4(address), as })),
      members: options.members,
      self: options.self,
    });
    const Kind = options.sidecar ? SidecarSpeaker : SpeakerSupervisor;
    this.#speaker = new Kind(options, {
      joined: () => this.#joined(),
      reported: (report) => this.#reported(report),
      lost: (reason) => this.#lost(reason),
    });
  }

  async start(): Promise<void> {
    await this.#speaker.start();
    this.#changed();
  }

  set(advertisements: readonly Advertisement[]): void {
    if (this.#stopping) return;
    this.#desired = [...advertisements];
    this.#send();
    this.#changed();
  }

  setMembers(members: readonly Announcer[]): void {
    this.#table.setMembers(members);
    this.#changed();
  }

  status(): AdvertiserStatus {
    const { pid, lastError, state, restarts } = this.#speaker;
    return {
      type: "exabgp",
      speaker: state,
      ...(pid === undefined ? {} : { pid }),
      restarts,
      ...(lastError === undefined ? {} : { lastError }),
      desired: this.#desired,
      applied: this.#applied,
      neighbors: [...this.#neighbors.values()],
      view: this.#table.view(performance.now()),
    };
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#desired = [];
    if (this.#speaker.state === "running") {
      const deadline = setTimeout(() => this.#withdrawn?.(), WITHDRAWAL_DEADLINE_MS);
      await new Promise<void>((resolve) => {
        this.#withdrawn = resolve;
        this.#send();
      });
      clearTimeout(deadline);
    }
    await this.#speaker.stop();
    this.#lost("ExaBGP was stopped");
  }

  #joined(): void {
    this.#send();
    this.#awaitSession();
    this.#changed();
  }

  #send(): void {
    if (this.#speaker.state !== "running") return;
    const { localAs, neighbors } = this.#options.bgp;
    this.#sequence += 1;
    this.#speaker.set(
      this.#sequence,
      this.#desired.flatMap((advertisement) =>
        neighbors.map(({ address, as, communities = [], largeCommunities = [], med, asPathPrepend = 0 }) =>
          routeCommands(advertisement, {
            neighbor: address,
            neighborAs: as,
            localAs,
            communities,
            largeCommunities: [memberCommunity(this.#self), ...largeCommunities],
            med,
            asPathPrepend,
          }),
        ),
      ),
    );
  }

  #reported(report: Report): void {
    switch (report.type) {
      case "applied":
        // A confirmation of an older one is out of date.
        if (report.sequence === this.#sequence) this.#confirm(this.#desired);
        break;
      case "refused":
        this.#speaker.restart(`ExaBGP refused "${printable(report.command)}"`);
        return;
      case "lapsed":
        // We were stopped or stalled. Whether that makes us unfit is for the health checks to decide, with another `set`.
        this.#options.log.event("announcement-lapsed", { silentMs: report.silentMs });
        this.#confirm([]);
        this.#send();
        break;
      case "event":
        this.#event(report.line);
        return;
      case "path":
        if (!this.#table.told(report)) this.#spoiled(report.neighbor, 1);
        this.#confirm(this.#taken);
        // A router may say a lot.
        this.#pathsSettling ??= setTimeout(() => {
          this.#pathsSettling = undefined;
          this.#changed();
        }, PATHS_SETTLE_MS);
        return;
      case "dropped":
        if (report.neighbor !== undefined) this.#spoiled(report.neighbor, report.events);
        else this.#options.log.event("speaker-problem", { problem: `${report.events} lines from ExaBGP were lost` });
        return;
    }
    this.#changed();
  }

  /** ExaBGP confirms a withdrawal before it has told any router: a route exists as long as a router sends it back to us. */
  #confirm(taken: readonly Advertisement[]): void {
    this.#taken = taken;
    const isThere = ({ prefix }: Advertisement, among: readonly Pick<Advertisement, "prefix">[]) =>
      among.some((it) => formatPrefix(it.prefix) === formatPrefix(prefix));
    const leaving = this.#applied.filter((it) => !isThere(it, taken));
    if (leaving.length === 0) {
      this.#apply(taken);
      return;
    }
    const echoes = this.#table.view(performance.now()).paths.filter(({ isEcho }) => isEcho);
    this.#apply([...taken, ...leaving.filter((it) => isThere(it, echoes))]);
  }

  /** @param blindness why it can't be known what has become of routes that are no longer among them */
  #apply(applied: readonly Advertisement[], blindness?: string): void {
    const { log } = this.#options;
    const before = this.#applied.map(({ prefix }) => formatPrefix(prefix));
    const after = applied.map(({ prefix }) => formatPrefix(prefix));
    this.#applied = applied;
    for (const prefix of after) if (!before.includes(prefix)) log.event("route-announced", { prefix });
    for (const prefix of before) {
      if (after.includes(prefix)) continue;
      if (blindness === undefined) log.event("route-withdrawn", { prefix });
      else log.event("route-unconfirmed", { prefix, reason: blindness });
    }
    if (applied.length === 0) this.#withdrawn?.();
  }

  #event(line: string): void {
    const event = parseEvent(line);
    if (event === "unreadable") {
      this.#options.log.event("speaker-problem", { problem: "unexpected line from ExaBGP", line: printable(line) });
    } else if (event?.type === "negotiated") {
      this.#table.negotiated(event.address, event.addPath);
    } else if (event && this.#neighbors.has(event.address)) {
      this.#neighborChanged(event);
    }
  }

  #spoiled(neighbor: string, count: number): void {
    this.#table.lost(neighbor);
    this.#options.counters.addLabeled("paths-dropped", neighbor, count);
    const problem = `${count} things that a router said could not be kept: who announces is not fully known`;
    this.#options.log.event("speaker-problem", { problem, neighbor: printable(neighbor) });
  }

  #neighborChanged({ address, state, reason }: Extract<SpeakerEvent, { type: "state" }>): void {
    this.#table.sessionChanged(address, state, performance.now());
    this.#confirm(this.#taken);
    const before = this.#neighbors.get(address)?.state;
    this.#neighbors.set(address, { address, state, sinceMs: Date.now(), ...(reason === undefined ? {} : { reason }) });
    if (state === "up" && before !== "up") this.#options.log.event("neighbor-up", { neighbor: address });
    if (state === "up") {
      clearTimeout(this.#viewSettling);
      this.#viewSettling = setTimeout(() => this.#changed(), SETTLE_MS);
    }
    if (state !== "up" && before === "up") this.#options.log.event("neighbor-down", { neighbor: address, reason });
    this.#awaitSession();
    this.#changed();
  }

  #awaitSession(): void {
    if (this.#stopping) return;
    if ([...this.#neighbors.values()].some(({ state }) => state === "up")) {
      clearTimeout(this.#patience);
      this.#patience = undefined;
      return;
    }
    const patienceMs = this.#options.sessionPatienceMs ?? DEFAULT_SESSION_PATIENCE_MS;
    this.#patience ??= setTimeout(() => {
      this.#patience = undefined;
      this.#speaker.restart(`no BGP session for ${patienceMs / 1000} s: dialing anew`);
    }, patienceMs);
  }

  #lost(reason: string): void {
    clearTimeout(this.#patience);
    clearTimeout(this.#pathsSettling);
    clearTimeout(this.#viewSettling);
    this.#patience = this.#pathsSettling = undefined;
    this.#taken = [];
    this.#apply([], reason);
    this.#dropSessions(reason);
    this.#changed();
  }

  #dropSessions(reason: string): void {
    for (const { address, state } of this.#neighbors.values()) {
      this.#table.sessionChanged(address, "down", performance.now());
      if (state !== "down") this.#neighbors.set(address, { address, state: "down", sinceMs: Date.now(), reason });
    }
  }

  #changed(): void {
    this.#listener.changed(this.status());
  }
}
