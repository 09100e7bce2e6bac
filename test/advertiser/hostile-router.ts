import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

const OPEN = 1;
const NOTIFICATION = 3;
const KEEPALIVE = 4;

/** A BGP speaker that brings one session up, to end it by a NOTIFICATION with data of the test's choice. */
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

  /** Ends the session, and listens no more. */
  close(notificationData: string): void {
    this.#server.close();
    // Cease, Peer De-configured (RFC 4486).
    this.#session?.end(message(NOTIFICATION, Buffer.concat([Buffer.from([6, 3]), Buffer.from(notificationData)])));
  }
}

function message(type: number, body = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(19, 0xff);
  header.writeUInt16BE(header.length + body.length, 16);
  header.writeUInt8(type, 18);
  return Buffer.concat([header, body]);
}
