import type { Server, Socket } from "node:net";

export interface ConnectionLimits {
  readonly connections: number;
  /** Counted from the answer: a client that reads it more slowly has hung. */
  readonly answerMs: number;
}

/** Clients that hang keep no others out: the oldest connection makes room for the newest, and answers are read in time. */
export class Connections {
  readonly #limits: ConnectionLimits;
  /** The oldest first. */
  readonly #open = new Set<Socket>();

  constructor(server: Server, limits: ConnectionLimits) {
    this.#limits = limits;
    server.on("connection", (socket) => this.#add(socket));
  }

  answered(socket: Socket): void {
    const deadline = setTimeout(() => socket.destroy(), this.#limits.answerMs);
    socket.once("close", () => clearTimeout(deadline));
  }

  #add(socket: Socket): void {
    const [oldest] = this.#open;
    if (oldest !== undefined && this.#open.size >= this.#limits.connections) {
      this.#open.delete(oldest);
      oldest.destroy();
    }
    this.#open.add(socket);
    socket.once("close", () => this.#open.delete(socket));
  }
}
