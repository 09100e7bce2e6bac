/**
 * Drives the sans-IO core: turns datagrams, timers and news from the store into inputs, and carries its outputs out.
 */
import type { DataPlane } from "../adapters/dataplane/data-plane.ts";
import type { LinkRelay } from "../adapters/net/mac-relay.ts";
import type { StreamChannels } from "../adapters/net/stream-channel.ts";
import type { UdpSocket } from "../adapters/net/udp-socket.ts";
import type { LoggedChange } from "../core/bindings/row-change.ts";
import type { HomeAgent } from "../core/home-agent/home-agent.ts";
import type { DeletionOutcome, DeletionRequest, Input, Output } from "../core/home-agent/io.ts";
import type { MemberId } from "../core/names.ts";
import type { Now } from "../core/now.ts";
import type { Endpoint } from "../core/wire/ipv4.ts";

/** The limit of setTimeout; longer waits are split. */
const MAXIMUM_TIMEOUT_MS = 2 ** 31 - 1;

export interface DriverOptions {
  readonly agent: HomeAgent;
  readonly endpointOf: (member: MemberId) => Endpoint | undefined;
  readonly append: (changes: readonly LoggedChange[]) => void;
  /** For how long the process may stand still before others may have taken it for dead. */
  readonly stallMs: () => number;
  /** A reply is about to be sent to a foreign agent. */
  readonly replied: (reply: Uint8Array, destination: Endpoint) => void;
  /** Has all inputs of a turn, and what came of them; `undefined` if settling failed. Absent where nothing is recorded. */
  readonly record?: ((now: Now, inputs: readonly Input[], outputs: readonly Output[] | undefined) => void) | undefined;
  /** An input made the core throw, which is a bug but must not take the service down. */
  readonly inputFailed: (error: unknown, input: Input["type"]) => void;
}

export class Driver {
  /** Set once it is bound. */
  registrationSocket: UdpSocket | undefined;
  clusterSocket: UdpSocket | undefined;
  streams: StreamChannels | undefined;
  /** Set only if some member is relayed to by its MAC address. */
  linkRelay: LinkRelay | undefined;
  /** Set if this home agent forwards. */
  dataPlane: DataPlane | undefined;
  readonly #options: DriverOptions;
  #inputs: Input[] = [];
  /** Those who wait for the core's answer, by token. */
  readonly #deletions = new Map<number, (outcome: DeletionOutcome) => void>();
  #lastToken = 0;
  #timer: NodeJS.Timeout | undefined;
  #wakeAtMs = Number.POSITIVE_INFINITY;
  #stopped = false;
  /** There is one at least every few hundred milliseconds, as heartbeats are sent. */
  #lastInputMs = performance.now();

  constructor(options: DriverOptions) {
    this.#options = options;
  }

  /**
   * Everything that arrives within one turn of the event loop is handled together at its end, which is cheaper the busier
   * it is.
   */
  input(input: Input): void {
    if (this.#stopped) return;
    if (this.#inputs.push(input) === 1) setImmediate(() => this.#handleAll());
  }

  /** As `input`, after whatever came before it, but handled before this returns: for what others are to go by at once. */
  inputNow(input: Input): void {
    this.#inputs.push(input);
    this.#handleAll();
  }

  #handleAll(): void {
    if (this.#stopped || this.#inputs.length === 0) return;
    const inputs = this.#inputs;
    this.#inputs = [];
    const now = currentTime();
    if (now.monotonicMs - this.#lastInputMs > this.#options.stallMs()) inputs.unshift({ type: "stalled" });
    this.#lastInputMs = now.monotonicMs;
    const { agent, record } = this.#options;
    for (const input of inputs) this.#attempt(input.type, () => agent.take(input, now));
    const outputs = this.#attempt("tick", () => agent.settle(now));
    record?.(now, inputs, outputs);
    if (outputs !== undefined) this.#attempt("tick", () => this.#perform(outputs));
    this.#schedule(now);
  }

  #attempt<Result>(input: Input["type"], work: () => Result): Result | undefined {
    try {
      return work();
    } catch (error) {
      this.#options.inputFailed(error, input);
      return undefined;
    }
  }

  /** That the core goes by. */
  time(): Now {
    return this.#options.agent.time(currentTime());
  }

  /** Resolves when the core says what came of it. */
  deleteBinding(deletion: Omit<DeletionRequest, "token">): Promise<DeletionOutcome> {
    const token = ++this.#lastToken;
    return new Promise((resolve) => {
      this.#deletions.set(token, resolve);
      this.input({ type: "delete-binding", token, ...deletion });
    });
  }

  #perform(outputs: readonly Output[]): void {
    for (const output of outputs) {
      switch (output.type) {
        case "reply":
          this.#options.replied(output.payload, output.destination);
          this.registrationSocket?.send(output.payload, output.destination);
          break;
        case "frame": {
          if (output.isRelay && this.linkRelay?.send(output.to, output.payload)) break;
          const endpoint = this.#options.endpointOf(output.to);
          if (endpoint !== undefined) this.clusterSocket?.send(output.payload, endpoint);
          break;
        }
        case "stream":
          this.streams?.send(output.to, output.bytes);
          break;
        case "end-stream":
          this.streams?.end(output.to, output.reason);
          break;
        case "forward":
          this.dataPlane?.forward(output.entries);
          break;
        case "alive":
          this.dataPlane?.setAlive(output.members.flatMap((id) => this.#options.endpointOf(id)?.address ?? []));
          break;
        case "deletion":
          this.#deletions.get(output.token)?.(output.outcome);
          this.#deletions.delete(output.token);
          break;
        case "append":
          this.#options.append(output.changes);
          break;
      }
    }
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** One timer, moved only when the core wants to be woken earlier than it is set to. */
  #schedule(now: Now): void {
    const wakeAtMs = this.#options.agent.nextWakeMs(now);
    if (this.#timer !== undefined && wakeAtMs >= this.#wakeAtMs) return;
    clearTimeout(this.#timer);
    this.#wakeAtMs = wakeAtMs;
    const delayMs = Math.min(Math.max(Math.ceil(wakeAtMs - now.monotonicMs), 1), MAXIMUM_TIMEOUT_MS);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.input({ type: "tick" });
    }, delayMs);
  }
}

export function currentTime(): Now {
  return { wallMs: Date.now(), monotonicMs: performance.now() };
}
