/**
 * Announces by an ExaBGP of our own.
 *
 *     daemon ── this advertiser ──(execa, dies with us)──▶ ExaBGP ──BGP──▶ routers
 *                    │                                       │ stdin, stdout: text API
 *                    └──────── unix socket, NDJSON ─────── helper (Python)
 *
 * Every failure of a part leads to the same place: no route. The helper withdraws when the daemon is gone or silent; we kill
 * ExaBGP, which closes its sessions, when the helper is gone or doesn't answer; and the kernel kills ExaBGP when we die.
 * docs/advertiser.md has the protocol, and each failure with its measured time.
 */
import { formatIpv4, formatPrefix } from "../wire/ipv4.ts";
import type { Advertisement, Advertiser, AdvertiserListener, AdvertiserStatus, NeighborStatus } from "./advertiser.ts";
import { type NeighborEvent, parseEvent, printable, routeCommands } from "./api-dialect.ts";
import type { Report } from "./helper-channel.ts";
import { UNKNOWN_VIEW } from "./routing-view.ts";
import { type SpeakerOptions, SpeakerSupervisor } from "./speaker-supervisor.ts";

export interface ExabgpAdvertiserOptions extends SpeakerOptions {
  /** Without any BGP session for this long, ExaBGP is started anew. Default 20,000. */
  readonly sessionPatienceMs?: number;
}

/** ExaBGP's pause between attempts grows to 60 s and never shrinks again, and the kernel's between SYNs grows too. */
const DEFAULT_SESSION_PATIENCE_MS = 20_000;
/** `stop` waits so long for the withdrawal before it stops ExaBGP, which withdraws too. */
const WITHDRAWAL_DEADLINE_MS = 1000;

export class ExabgpAdvertiser implements Advertiser {
  readonly #options: ExabgpAdvertiserOptions;
  readonly #listener: AdvertiserListener;
  readonly #speaker: SpeakerSupervisor;
  readonly #neighbors: Map<string, NeighborStatus>;
  #desired: readonly Advertisement[] = [];
  #applied: readonly Advertisement[] = [];
  /** Of the last `set` sent. */
  #sequence = 0;
  #stopping = false;
  #withdrawn: (() => void) | undefined;
  #patience: NodeJS.Timeout | undefined;

  constructor(options: ExabgpAdvertiserOptions, listener: AdvertiserListener) {
    this.#options = options;
    this.#listener = listener;
    this.#neighbors = new Map(
      options.bgp.neighbors.map(({ address }) => {
        const text = formatIpv4(address);
        return [text, { address: text, state: "down", sinceMs: Date.now() }];
      }),
    );
    this.#speaker = new SpeakerSupervisor(options, {
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
      view: UNKNOWN_VIEW,
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
        neighbors.map(({ address, as }) =>
          routeCommands(advertisement, { neighbor: address, neighborAs: as, localAs }),
        ),
      ),
    );
  }

  #reported(report: Report): void {
    switch (report.type) {
      case "applied":
        // An older one has been overtaken.
        if (report.sequence === this.#sequence) this.#confirm(this.#desired);
        break;
      case "refused":
        this.#speaker.restart(`ExaBGP refused "${printable(report.command)}"`);
        return;
      case "lapsed":
        // We were stopped or stalled. Whether that makes us unfit is for the health checks to say, by another `set`.
        this.#options.log.event("announcement-lapsed", { silentMs: report.silentMs });
        this.#confirm([]);
        this.#send();
        break;
      case "event":
        this.#event(report.line);
        return;
      case "dropped":
        this.#options.log.event("speaker-problem", { problem: `${report.events} lines from ExaBGP were lost` });
        return;
    }
    this.#changed();
  }

  #confirm(applied: readonly Advertisement[]): void {
    const before = this.#applied.map(({ prefix }) => formatPrefix(prefix));
    const after = applied.map(({ prefix }) => formatPrefix(prefix));
    this.#applied = applied;
    for (const prefix of after) if (!before.includes(prefix)) this.#options.log.event("route-announced", { prefix });
    for (const prefix of before) if (!after.includes(prefix)) this.#options.log.event("route-withdrawn", { prefix });
    if (applied.length === 0) this.#withdrawn?.();
  }

  #event(line: string): void {
    const event = parseEvent(line);
    if (event === "unreadable") {
      this.#options.log.event("speaker-problem", { problem: "unexpected line from ExaBGP", line: printable(line) });
    } else if (event && this.#neighbors.has(event.address)) {
      this.#neighborChanged(event);
    }
  }

  #neighborChanged({ address, state, reason }: NeighborEvent): void {
    const before = this.#neighbors.get(address)?.state;
    this.#neighbors.set(address, { address, state, sinceMs: Date.now(), ...(reason === undefined ? {} : { reason }) });
    if (state === "up" && before !== "up") this.#options.log.event("neighbor-up", { neighbor: address });
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
    this.#patience = undefined;
    this.#confirm([]);
    this.#dropSessions(reason);
    this.#changed();
  }

  #dropSessions(reason: string): void {
    for (const { address, state } of this.#neighbors.values()) {
      if (state !== "down") this.#neighbors.set(address, { address, state: "down", sinceMs: Date.now(), reason });
    }
  }

  #changed(): void {
    this.#listener.changed(this.status());
  }
}
