import type { TLSSocket } from "node:tls";
import { encodeStreamFrame, FrameSplitter, FrameTooLargeError } from "../../core/protocol/stream-frame.ts";
import { MAXIMUM_HELLO_BYTES } from "../../core/protocol/stream-hello.ts";
import type { StreamFault } from "./stream-fault.ts";

/** For the peer's hello. */
const HELLO_TIMEOUT_MS = 2000;
/** For what is still to be sent when this side ends the stream. */
const FAREWELL_TIMEOUT_MS = 1000;
/** Every member says so often that it is still there. */
const PING_INTERVAL_MS = 1000;
/**
 * Intervals without a byte until a path counts as dead. Counted, not timed: a stall of our own is not the peer's silence.
 */
const SILENT_INTERVALS = 3;
/** How much may wait for a peer in user space; what it misses beyond that, it gets when it is synchronized again. */
const MAXIMUM_UNSENT_BYTES = 64 * 1024 * 1024;

/** A frame without a body. */
const PING = encodeStreamFrame(() => undefined);

export interface ConnectionListener {
  /** The body of the first frame: `admit` or `close` is to follow from it. */
  greeted(hello: Uint8Array): void;
  /** What comes after it, in pieces of any size. */
  received(bytes: Uint8Array): void;
  /** Once, never from within a call to the connection. */
  closed(reason: StreamFault): void;
}

/** Bytes in both directions over one secured socket: batched, bounded, and known to be alive. */
export class StreamConnection {
  readonly #socket: TLSSocket;
  readonly #listener: ConnectionListener;
  readonly #splitter = new FrameSplitter(MAXIMUM_HELLO_BYTES);
  #isAdmitted = false;
  #deadline: NodeJS.Timeout;
  #pingTimer: NodeJS.Timeout | undefined;
  #silentIntervals = 0;
  #corked = false;
  #closing: StreamFault | undefined;

  constructor(socket: TLSSocket, listener: ConnectionListener) {
    this.#socket = socket;
    this.#listener = listener;
    this.#deadline = setTimeout(() => this.close("handshake-timeout"), HELLO_TIMEOUT_MS);
    socket.on("data", (chunk: Uint8Array) => this.#receive(chunk));
    socket.on("end", () => this.close("ended"));
    socket.on("error", () => this.close("failed"));
    socket.once("close", () => {
      this.close("ended");
      clearTimeout(this.#deadline);
      clearInterval(this.#pingTimer);
      listener.closed(this.#closing ?? "ended");
    });
  }

  /** The peer's hello was in order: from now on it may send whatever it wants, and must not fall silent. */
  admit(): void {
    clearTimeout(this.#deadline);
    this.#isAdmitted = true;
    this.#pingTimer = setInterval(() => this.#ping(), PING_INTERVAL_MS);
  }

  /** Goes out with everything else that is sent by the same piece of work. */
  send(frames: Uint8Array): void {
    if (this.#closing !== undefined) return;
    if (this.#socket.writableLength > MAXIMUM_UNSENT_BYTES) {
      this.close("unsent-bytes");
      return;
    }
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      queueMicrotask(() => this.#flush());
    }
    this.#socket.write(frames);
  }

  /** At once: what is not sent yet never will be. */
  close(reason: StreamFault): void {
    this.#closing ??= reason;
    this.#socket.destroy();
  }

  /** After what has been sent has left, if the peer takes it in time. */
  end(): Promise<void> {
    this.#closing ??= "ended";
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#socket.destroy(), FAREWELL_TIMEOUT_MS);
    this.#socket.destroySoon();
    return new Promise((resolve) => {
      if (this.#socket.closed) resolve();
      else this.#socket.once("close", () => resolve());
    });
  }

  #flush(): void {
    if (!this.#corked) return;
    this.#corked = false;
    this.#socket.uncork();
  }

  #receive(chunk: Uint8Array): void {
    this.#silentIntervals = 0;
    if (this.#closing !== undefined) return;
    if (this.#isAdmitted) {
      this.#listener.received(chunk);
      return;
    }
    this.#splitter.push(chunk);
    const hello = this.#takeHello();
    if (hello === undefined) return;
    this.#listener.greeted(hello);
    const rest = this.#splitter.rest();
    if (this.#isAdmitted && rest.length > 0) this.#listener.received(rest);
  }

  #takeHello(): Uint8Array | undefined {
    try {
      return this.#splitter.take();
    } catch (error) {
      if (!(error instanceof FrameTooLargeError)) throw error;
      this.close("frame-too-large");
      return undefined;
    }
  }

  #ping(): void {
    this.#silentIntervals += 1;
    if (this.#silentIntervals > SILENT_INTERVALS) this.close("silent");
    else this.send(PING);
  }
}
