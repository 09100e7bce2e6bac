import type { TcpNetConnectOpts } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { type Endpoint, formatIpv4, type Ipv4Address } from "../../core/wire/ipv4.ts";
import type { StreamFault } from "./stream-fault.ts";
import { HANDSHAKE_TIMEOUT_MS, SECURITY } from "./stream-tls.ts";

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 1000;
/** After a stream of this length, the next failure is the first again. */
const STABLE_MS = 5000;

export interface StreamDialerOptions {
  readonly localAddress: Ipv4Address;
  readonly remote: Endpoint;
  readonly identity: string;
  readonly key: Uint8Array;
  /** The other side holds the key, too. When the socket closes, the dialer connects again. */
  readonly secured: (socket: TLSSocket) => void;
  /** There was a listener, but not a member with our key. That there is no listener is no news. */
  readonly rejected: (reason: StreamFault) => void;
  /** There was no listener; in the words of the system, `undefined` if it has none. */
  readonly unreachable: (code: string | undefined) => void;
}

/** Keeps connecting to one member. */
export class StreamDialer {
  readonly #options: StreamDialerOptions;
  #handshake: TLSSocket | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #delayMs = FIRST_DELAY_MS;
  #closed = false;

  constructor(options: StreamDialerOptions) {
    this.#options = options;
    this.#dial();
  }

  /** Stops connecting; a socket that is already secured does not belong to it any more. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#retryTimer);
    this.#handshake?.destroy();
  }

  #dial(): void {
    const { remote, localAddress, identity, key } = this.#options;
    const tcp: TcpNetConnectOpts = {
      host: formatIpv4(remote.address),
      port: remote.port,
      localAddress: formatIpv4(localAddress),
      noDelay: true,
    };
    const socket = connect({
      ...tcp,
      ...SECURITY,
      pskCallback: () => ({ identity, psk: key }),
      // A server that shows a certificate instead of the key is none of ours, no matter who signed it.
      ca: [],
      rejectUnauthorized: true,
      checkServerIdentity: () => new Error("a certificate is no proof of membership"),
    });
    this.#handshake = socket;
    let fault: StreamFault | undefined;
    let code: string | undefined;
    let securedAtMs: number | undefined;
    const deadline = setTimeout(() => {
      if (!socket.connecting) fault = "handshake-timeout";
      socket.destroy();
    }, HANDSHAKE_TIMEOUT_MS);
    socket.once("secureConnect", () => {
      clearTimeout(deadline);
      this.#handshake = undefined;
      securedAtMs = performance.now();
      this.#options.secured(socket);
    });
    socket.on("error", (error) => {
      if (securedAtMs !== undefined) return;
      fault ??= faultOf(error);
      if ("code" in error) code = String(error.code);
    });
    socket.once("close", () => {
      clearTimeout(deadline);
      if (this.#closed) return;
      if (fault !== undefined) this.#options.rejected(fault);
      else if (securedAtMs === undefined) this.#options.unreachable(code);
      this.#retry(securedAtMs === undefined ? 0 : performance.now() - securedAtMs);
    });
  }

  #retry(lastedMs: number): void {
    if (lastedMs >= STABLE_MS) this.#delayMs = FIRST_DELAY_MS;
    const delayMs = this.#delayMs * (0.5 + Math.random() / 2);
    this.#delayMs = Math.min(this.#delayMs * 2, LONGEST_DELAY_MS);
    this.#retryTimer = setTimeout(() => this.#dial(), delayMs);
  }
}

/** `undefined` for an error of the system, or a connection that was closed without a word. */
function faultOf(error: Error): StreamFault | undefined {
  const code = "code" in error ? String(error.code) : "";
  if ("syscall" in error || code === "ECONNRESET") return undefined;
  if (code === "ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR") return "bad-key";
  if (code === "ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE") return "refused";
  return "bad-handshake";
}
