import { once } from "node:events";
import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { type Endpoint, formatIpv4 } from "../../core/wire/ipv4.ts";
import type { StreamFault } from "./stream-fault.ts";
import { HANDSHAKE_TIMEOUT_MS, SECURITY } from "./stream-tls.ts";

/** Beyond this number the oldest is dropped: a flood can't keep out members, which need only a few milliseconds. */
const MAXIMUM_HANDSHAKES = 64;

export interface StreamListenerOptions {
  readonly local: Endpoint;
  /** The key for a caller of this name, or the reason why there is none. */
  readonly keyOf: (identity: string) => Uint8Array | StreamFault;
  /** A caller of this name has proved that it has the key. */
  readonly secured: (socket: TLSSocket, identity: string) => void;
  readonly rejected: (sourceAddress: string, reason: StreamFault) => void;
  /** The system refused to accept a connection. */
  readonly failed: (error: Error) => void;
}

interface Handshake {
  readonly socket: Socket;
  readonly deadline: NodeJS.Timeout;
  identity: string | undefined;
  fault: StreamFault | undefined;
}

/** Accepts connections of members only. */
export class StreamListener {
  readonly #options: StreamListenerOptions;
  readonly #server: Server;
  /** Keyed by the remote endpoint; the oldest first. */
  readonly #handshakes = new Map<string, Handshake>();

  private constructor(options: StreamListenerOptions) {
    this.#options = options;
    this.#server = createServer({
      ...SECURITY,
      noDelay: true,
      pskCallback: (socket, identity) => this.#keyOf(socket, identity),
    });
    this.#server.on("connection", (socket: Socket) => this.#accept(socket));
    this.#server.on("secureConnection", (socket) => this.#secured(socket));
    this.#server.on("tlsClientError", (error, socket) => this.#fail(socket, error));
  }

  /** Rejects with a system error such as `EADDRNOTAVAIL` or `EADDRINUSE`. */
  static async open(options: StreamListenerOptions): Promise<StreamListener> {
    const listener = new StreamListener(options);
    listener.#server.listen({ host: formatIpv4(options.local.address), port: options.local.port, exclusive: true });
    await once(listener.#server, "listening");
    listener.#server.on("error", (error) => options.failed(error));
    return listener;
  }

  /** Resolves when all connections that were ever accepted are closed: close them first. */
  close(): Promise<void> {
    for (const { socket } of this.#handshakes.values()) socket.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #accept(socket: Socket): void {
    const { remoteAddress = "unknown" } = socket;
    const key = keyOf(socket);
    const handshake: Handshake = {
      socket,
      identity: undefined,
      fault: undefined,
      deadline: setTimeout(() => abort(handshake, "handshake-timeout"), HANDSHAKE_TIMEOUT_MS),
    };
    this.#handshakes.set(key, handshake);
    socket.once("close", () => {
      clearTimeout(handshake.deadline);
      if (this.#handshakes.get(key) !== handshake) return;
      this.#handshakes.delete(key);
      this.#options.rejected(remoteAddress, handshake.fault ?? "bad-handshake");
    });
    const [oldest] = this.#handshakes.values();
    if (this.#handshakes.size > MAXIMUM_HANDSHAKES && oldest !== undefined) abort(oldest, "too-many-handshakes");
  }

  #keyOf(socket: TLSSocket, identity: string): Uint8Array | null {
    const handshake = this.#handshakes.get(keyOf(socket));
    if (handshake === undefined) return null;
    const key = this.#options.keyOf(identity);
    if (typeof key === "string") {
      handshake.fault = key;
      return null;
    }
    handshake.identity = identity;
    return key;
  }

  #secured(socket: TLSSocket): void {
    const handshake = this.#handshakes.get(keyOf(socket));
    // Without an identity it resumed an earlier session, which members don't do.
    if (handshake?.identity === undefined) {
      socket.destroy();
      return;
    }
    this.#handshakes.delete(keyOf(socket));
    clearTimeout(handshake.deadline);
    this.#options.secured(socket, handshake.identity);
  }

  #fail(socket: TLSSocket, error: Error): void {
    const handshake = this.#handshakes.get(keyOf(socket));
    if (handshake !== undefined && "code" in error && error.code === "ERR_SSL_BINDER_DOES_NOT_VERIFY") {
      handshake.fault ??= "bad-key";
    }
    socket.destroy();
  }
}

/** TLS wraps the socket of a connection in another one; the remote endpoint is what both have in common. */
function keyOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}

function abort(handshake: Handshake, fault: StreamFault): void {
  handshake.fault ??= fault;
  handshake.socket.destroy();
}
