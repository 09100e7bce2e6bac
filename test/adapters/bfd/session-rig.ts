/** One session with a clock and a neighbor that says what the test wants. */
import type { ControlPacket, SessionState } from "../../../src/adapters/bfd/control-packet.ts";
import { BfdSession, type SessionOutput, type SessionSettings } from "../../../src/adapters/bfd/session.ts";

const NEIGHBOR: ControlPacket = {
  state: "down",
  diagnostic: 0,
  poll: false,
  final: false,
  controlPlaneIndependent: false,
  demand: false,
  detectMultiplier: 3,
  myDiscriminator: 77,
  yourDiscriminator: 0,
  desiredMinTxUs: 300_000,
  requiredMinRxUs: 300_000,
  requiredMinEchoRxUs: 0,
};

export class SessionRig {
  nowMs = 1000;
  readonly session: BfdSession;
  /** All that was sent, with its time. */
  readonly sent: (ControlPacket & { readonly atMs: number })[] = [];
  readonly changes: string[] = [];

  constructor(settings: Partial<SessionSettings> = {}) {
    this.session = new BfdSession({
      discriminator: 1,
      transmitIntervalMs: 300,
      receiveIntervalMs: 300,
      detectMultiplier: 3,
      random: () => 0.5,
      ...settings,
    });
  }

  /** A session in that state, which the neighbor has brought about. */
  static in(state: SessionState, settings: Partial<SessionSettings> = {}): SessionRig {
    const rig = new SessionRig(settings);
    rig.run(0);
    if (state === "init" || state === "up") rig.hear({ state: "down" });
    if (state === "up") rig.hear({ state: "init" });
    if (state === "admin-down") rig.take(rig.session.disable(rig.nowMs));
    rig.sent.length = 0;
    rig.changes.length = 0;
    return rig;
  }

  get state(): SessionState {
    return this.session.status.state;
  }

  hear(packet: Partial<ControlPacket>): void {
    this.take(this.session.receive({ ...NEIGHBOR, yourDiscriminator: 1, ...packet }, this.nowMs));
  }

  take(outputs: readonly SessionOutput[]): void {
    for (const output of outputs) {
      if (output.type === "send") this.sent.push({ ...output.packet, atMs: this.nowMs });
      else this.changes.push(`${output.from} → ${output.to}`);
    }
  }

  /** Lets time pass; the session is called whenever it wants to be. The neighbor repeats itself if it is given what to say. */
  run(durationMs: number, heard?: Partial<ControlPacket>, everyMs = 300): void {
    const endMs = this.nowMs + durationMs;
    let nextHeardMs = heard === undefined ? Number.POSITIVE_INFINITY : this.nowMs + everyMs;
    for (;;) {
      const nextMs = Math.min(this.session.nextWakeMs, nextHeardMs);
      if (nextMs > endMs) break;
      this.nowMs = Math.max(this.nowMs, nextMs);
      if (nextMs === nextHeardMs) {
        this.hear(heard ?? {});
        nextHeardMs += everyMs;
      } else this.take(this.session.tick(this.nowMs));
    }
    this.nowMs = endMs;
  }

  /** The times between what was sent. */
  get intervals(): number[] {
    return this.sent.slice(1).map(({ atMs }, index) => Math.round((atMs - (this.sent[index]?.atMs ?? 0)) * 10) / 10);
  }
}
