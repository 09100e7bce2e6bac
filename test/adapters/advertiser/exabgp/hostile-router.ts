import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Ipv4Prefix } from "../../../../src/core/wire/ipv4.ts";

const OPEN = 1;
const UPDATE = 2;
const NOTIFICATION = 3;
const KEEPALIVE = 4;

/** A BGP speaker that brings one session up, to send what a test chooses, and end it by a NOTIFICATION with data of its choice. */
export class HostileRouter {
  readonly #server: Server;
  #session: Socket | undefined;

  private constructor(server: Server) {
    this.#server = server;
    server.on("connection", (session) => {
      this.#session = session;
      session.on("error", () => {});
      session.once("data", () => {
        // Version 4, AS 65001, hold time 9 s, router id 192.0.2.1, no optional parameters (RFC 4271 4.2).
        session.write(message(OPEN, Buffer.from([4, 0xfd, 0xe9, 0, 9, 192, 0, 2, 1, 0])));
        session.write(message(KEEPALIVE));
      });
    });
  }

  static async listen(address: string): Promise<HostileRouter> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, address, resolve));
    return new HostileRouter(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  announce(prefixes: readonly Ipv4Prefix[], asPath: readonly number[]): void {
    const path = Buffer.from(asPath.flatMap((as) => [as >> 8, as & 255]));
    const attributes = Buffer.concat([
      // ORIGIN IGP, AS_PATH of one sequence, NEXT_HOP 127.0.0.2 (RFC 4271 4.3).
      Buffer.from([0x40, 1, 1, 0]),
      Buffer.from([0x40, 2, 2 + path.length, 2, asPath.length]),
      path,
      Buffer.from([0x40, 3, 4, 127, 0, 0, 2]),
    ]);
    this.#session?.write(
      message(UPDATE, Buffer.concat([uint16(0), uint16(attributes.length), attributes, nlri(prefixes)])),
    );
  }

  withdraw(prefixes: readonly Ipv4Prefix[]): void {
    const withdrawn = nlri(prefixes);
    this.#session?.write(message(UPDATE, Buffer.concat([uint16(withdrawn.length), withdrawn, uint16(0)])));
  }

  /** Ends the session, and listens no more. */
  close(notificationData: string): void {
    this.#server.close();
    // Cease, Peer De-configured (RFC 4486).
    this.#session?.end(message(NOTIFICATION, Buffer.concat([Buffer.from([6, 3]), Buffer.from(notificationData)])));
  }
}

function nlri(prefixes: readonly Ipv4Prefix[]): Buffer {
  return Buffer.concat(
    prefixes.map(({ address, length }) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(address);
      return Buffer.concat([Buffer.from([length]), bytes.subarray(0, Math.ceil(length / 8))]);
    }),
  );
}

function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 255]);
}

function message(type: number, body = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(19, 0xff);
  header.writeUInt16BE(header.length + body.length, 16);
  header.writeUInt8(type, 18);
  return Buffer.concat([header, body]);
}
