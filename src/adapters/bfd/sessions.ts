/** All BFD sessions of this host, one for each neighbor; finds the one that a datagram is for. As pure as a session. */
import type { Ipv4Address } from "../../core/wire/ipv4.ts";
import { decodeControlPacket, type PacketFault } from "./control-packet.ts";
import { BfdSession, type SessionOutput, type SessionSettings, type SessionStatus } from "./session.ts";

export interface SessionsSettings extends Omit<SessionSettings, "discriminator"> {
  readonly neighbors: readonly Ipv4Address[];
}

export type DropReason = PacketFault | "unknown-session" | "wrong-source";

/** What a session wants done. */
export interface NeighborOutput {
  readonly neighbor: Ipv4Address;
  readonly output: SessionOutput;
}

export type Received =
  | { readonly ok: true; readonly outputs: readonly NeighborOutput[] }
  | { readonly ok: false; readonly reason: DropReason };

const DISCRIMINATORS = 0xffff_ffff;

export class BfdSessions {
  readonly #byNeighbor = new Map<Ipv4Address, BfdSession>();
  readonly #byDiscriminator = new Map<number, BfdSession>();

  constructor({ neighbors, ...settings }: SessionsSettings) {
    for (const neighbor of neighbors) {
      const session = new BfdSession({ ...settings, discriminator: this.#newDiscriminator(settings.random) });
      this.#byNeighbor.set(neighbor, session);
      this.#byDiscriminator.set(session.discriminator, session);
    }
  }

  get nextWakeMs(): number {
    return Math.min(...[...this.#byNeighbor.values()].map(({ nextWakeMs }) => nextWakeMs));
  }

  get statuses(): (readonly [Ipv4Address, SessionStatus])[] {
    return [...this.#byNeighbor].map(([neighbor, { status }]) => [neighbor, status]);
  }

  /**
   * RFC 5880 6.8.6: a discriminator of ours selects the session, else the source address does. The address must be the
   * neighbor's in any case, as both ends of a session are on one subnet (RFC 5881 6).
   */
  receive(payload: Uint8Array, source: Ipv4Address, nowMs: number): Received {
    const decoded = decodeControlPacket(payload);
    if (!decoded.ok) return { ok: false, reason: decoded.fault };
    const { packet } = decoded;
    const ofSource = this.#byNeighbor.get(source);
    const session = packet.yourDiscriminator === 0 ? ofSource : this.#byDiscriminator.get(packet.yourDiscriminator);
    if (session === undefined) return { ok: false, reason: "unknown-session" };
    if (session !== ofSource) return { ok: false, reason: "wrong-source" };
    return { ok: true, outputs: session.receive(packet, nowMs).map((output) => ({ neighbor: source, output })) };
  }

  tick(nowMs: number): NeighborOutput[] {
    return this.#each((session) => session.tick(nowMs));
  }

  hold(diagnostic: number, nowMs: number): NeighborOutput[] {
    return this.#each((session) => session.hold(diagnostic, nowMs));
  }

  release(): void {
    for (const session of this.#byNeighbor.values()) session.release();
  }

  disable(nowMs: number): NeighborOutput[] {
    return this.#each((session) => session.disable(nowMs));
  }

  #each(action: (session: BfdSession) => readonly SessionOutput[]): NeighborOutput[] {
    return [...this.#byNeighbor].flatMap(([neighbor, session]) =>
      action(session).map((output) => ({ neighbor, output })),
    );
  }

  #newDiscriminator(random: () => number): number {
    for (;;) {
      const discriminator = 1 + Math.floor(random() * DISCRIMINATORS);
      if (!this.#byDiscriminator.has(discriminator)) return discriminator;
    }
  }
}
