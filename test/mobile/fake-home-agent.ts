import { createSocket } from "node:dgram";
import { UdpSocket } from "../../src/adapters/net/udp-socket.ts";
import { type Endpoint, ipv4, UNSPECIFIED } from "../../src/core/wire/ipv4.ts";
import type { RegistrationRequest } from "../../src/core/wire/registration-message.ts";
import { type ReplyChanges, readRequest, replyTo } from "./fixtures.ts";

/** How a fake home agent answers; `undefined` is silence. */
export type Behaviour = (request: RegistrationRequest, count: number) => ReplyChanges | undefined;

/** A home agent that answers as it is told, on a loopback address and any free port. */
export class FakeHomeAgent {
  readonly requests: { readonly request: RegistrationRequest; readonly source: Endpoint }[] = [];
  readonly #socket: UdpSocket;

  private constructor(socket: UdpSocket) {
    this.#socket = socket;
  }

  static async start(address: string, behaviour: Behaviour): Promise<FakeHomeAgent> {
    const socket = await UdpSocket.bind(
      { address: ipv4(address), port: 0 },
      {
        received(payload, source) {
          const request = readRequest(payload);
          agent.requests.push({ request, source });
          const changes = behaviour(request, agent.requests.length);
          if (changes !== undefined) socket.send(replyTo(payload, changes), source);
        },
        sendFailed() {},
        failed() {},
      },
    );
    const agent = new FakeHomeAgent(socket);
    return agent;
  }

  get endpoint(): Endpoint {
    return this.#socket.local;
  }

  stop(): Promise<void> {
    return this.#socket.close();
  }
}

/** Accepts everything; who has no home address gets one. */
export const accepting: Behaviour = ({ homeAddress }) =>
  homeAddress === UNSPECIFIED ? { homeAddress: ipv4("10.79.0.1") } : {};

/** An endpoint that nobody used a moment ago. */
export async function freeEndpoint(address: string): Promise<Endpoint> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, address, resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return { address: ipv4(address), port };
}
