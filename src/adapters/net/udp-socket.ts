import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import { type Endpoint, formatIpv4, type Ipv4Address, ipv4 } from "../../core/wire/ipv4.ts";

/** Bytes waiting in user space for the kernel; beyond this, what is sent is dropped and counted. */
const MAXIMUM_SEND_QUEUE_BYTES = 4 * 1024 * 1024;
/** What we ask the kernel to hold for us, unless told otherwise; `net.core.rmem_max` may allow less. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;
/** "discard" (RFC 863); nothing is sent to it. */
const PORT_OF_PROBES = 9;

export interface UdpSocketOptions {
  /** The TTL of what is sent, if not the system's default. */
  readonly ttl?: number;
  readonly receiveBufferBytes?: number;
}

export interface UdpListener {
  received(payload: Uint8Array, source: Endpoint): void;
  /** A datagram that could not be sent, or that there was no room for (`ENOBUFS`). */
  sendFailed(destination: Endpoint, code: string): void;
  /** The socket reported an error; it stays open. */
  failed(error: Error): void;
}

/** One bound IPv4 UDP socket. The queue to the application is the kernel's, and bounded by it. */
export class UdpSocket {
  readonly local: Endpoint;
  readonly #socket: Socket;
  readonly #listener: UdpListener;

  private constructor(socket: Socket, local: Endpoint, listener: UdpListener) {
    this.local = local;
    this.#socket = socket;
    this.#listener = listener;
    socket.on("message", (payload: Uint8Array, remote: RemoteInfo) => {
      listener.received(payload, { address: ipv4(remote.address), port: remote.port });
    });
    socket.on("error", (error) => listener.failed(error));
  }

  /**
   * Rejects with a system error such as `EADDRNOTAVAIL` or `EADDRINUSE`.
   */
  static bind(local: Endpoint, listener: UdpListener, options: UdpSocketOptions = {}): Promise<UdpSocket> {
    const { ttl, receiveBufferBytes = RECEIVE_BUFFER_BYTES } = options;
    return new Promise((resolve, reject) => {
      const socket = createSocket({
        type: "udp4",
        // Destinations are always numeric: no resolver, and no turn of the event loop, on the way out.
        lookup: (address, _options, callback) => callback(null, address, 4),
      });
      const refused = (error: Error) => {
        socket.close();
        reject(error);
      };
      socket.once("error", refused);
      socket.bind({ address: formatIpv4(local.address), port: local.port, exclusive: true }, () => {
        socket.off("error", refused);
        setReceiveBuffer(socket, receiveBufferBytes);
        if (ttl !== undefined) socket.setTTL(ttl);
        resolve(new UdpSocket(socket, { ...local, port: socket.address().port }, listener));
      });
    });
  }

  /** Takes over a descriptor that is already bound, and closes it in the end. */
  static adopt(descriptor: number, local: Endpoint, listener: UdpListener): Promise<UdpSocket> {
    return new Promise((resolve, reject) => {
      const socket = createSocket("udp4");
      socket.once("error", reject);
      socket.bind({ fd: descriptor, exclusive: true }, () => {
        socket.off("error", reject);
        setReceiveBuffer(socket, RECEIVE_BUFFER_BYTES);
        resolve(new UdpSocket(socket, local, listener));
      });
    });
  }

  send(payload: Uint8Array, destination: Endpoint): void {
    if (this.#socket.getSendQueueSize() > MAXIMUM_SEND_QUEUE_BYTES) {
      this.#listener.sendFailed(destination, "ENOBUFS");
      return;
    }
    this.#socket.send(payload, destination.port, formatIpv4(destination.address), (error) => {
      if (error) this.#listener.sendFailed(destination, errorCode(error));
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }
}

/**
 * Returns those of these destinations that nothing can be sent to from a local address, with the reasons: the kernel looks
 * up the route when a datagram socket is connected, and sends nothing. If the look-up itself isn't possible, none are
 * returned.
 */
export async function withoutRoute(
  local: Ipv4Address,
  destinations: Iterable<Ipv4Address>,
): Promise<Map<Ipv4Address, string>> {
  const found = new Map<Ipv4Address, string>();
  const socket = createSocket({ type: "udp4", lookup: (address, _options, callback) => callback(null, address, 4) });
  try {
    // It may be bound before this returns.
    const bound = once(socket, "listening");
    socket.bind({ address: formatIpv4(local), port: 0, exclusive: true });
    await bound;
    for (const destination of destinations) {
      const error = await new Promise<Error | undefined>((resolve) => {
        socket.connect(PORT_OF_PROBES, formatIpv4(destination), ((failure?: Error) => resolve(failure)) as () => void);
      });
      if (error === undefined) socket.disconnect();
      else found.set(destination, errorCode(error));
    }
  } catch {
    // The address is not here, or there are too many open files, which are dealt with elsewhere.
  } finally {
    socket.close();
  }
  return found;
}

/** Whether the host receives what is sent to an address, by an interface or by a route of type `local`. */
export async function isOurAddress(address: Ipv4Address): Promise<boolean> {
  const ignore = () => undefined;
  try {
    const socket = await UdpSocket.bind({ address, port: 0 }, { received: ignore, sendFailed: ignore, failed: ignore });
    await socket.close();
    return true;
  } catch (error) {
    // Anything else, such as too many open files, says nothing about the address.
    return errorCode(error as Error) !== "EADDRNOTAVAIL";
  }
}

function setReceiveBuffer(socket: Socket, bytes: number): void {
  try {
    socket.setRecvBufferSize(bytes);
  } catch {
    // The default size works as well, but drops sooner during bursts.
  }
}

function errorCode(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}
