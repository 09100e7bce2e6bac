import { createServer, type Server, type Socket } from "node:net";
import { LineSplitter } from "../../kernel/line-splitter.ts";
import { printable } from "./api-dialect.ts";
import {
  type DaemonMessage,
  type HelperMessage,
  PROTOCOL_VERSION,
  parseHelperMessage,
  type RouteCommands,
} from "./helper-protocol.ts";

/** A helper forwards lines of up to 1 MiB from ExaBGP, which JSON may make longer. */
const LINE_LIMIT_BYTES = 8 << 20;
const MAXIMUM_CONNECTIONS = 4;
/** A client that says nothing for this long has to make room for the helper. A helper that was only slow connects again. */
const HELLO_DEADLINE_MS = 2000;
/** Several heartbeats must be lost before the helper withdraws. */
const HEARTBEATS_PER_DEADLINE = 4;
/** Every so many heartbeats, one is a probe. */
const HEARTBEATS_PER_PROBE = 4;
/** Probes without an answer in a row. They are counted, not timed, as a daemon that was stopped must not blame others. */
const MAXIMUM_UNANSWERED_PROBES = 5;

export type Hello = Extract<HelperMessage, { type: "hello" }>;
export type Report = Exclude<HelperMessage, { type: "hello" | "alive" | "error" }>;

export interface HelperChannelListener {
  /** The expected helper has joined. */
  joined(hello: Hello): void;
  reported(report: Report): void;
  /** The joined helper is gone, sends nonsense, or doesn't answer. */
  left(reason: string): void;
}

/**
 * The daemon's end of the unix socket to the helper inside ExaBGP. It sends heartbeats from the main event loop, so that
 * they stop when the daemon hangs, and probes that show whether helper and ExaBGP are still at work.
 */
export class HelperChannel {
  readonly #deadlineMs: number;
  readonly #listener: HelperChannelListener;
  readonly #server: Server;
  readonly #connections = new Set<Socket>();
  #expectedRun: string | undefined;
  #helper: Socket | undefined;
  #heartbeats: NodeJS.Timeout | undefined;
  #probe = 0;
  #unansweredProbes = 0;

  /** @param deadlineMs after a silence of this length the helper withdraws everything */
  constructor(deadlineMs: number, listener: HelperChannelListener) {
    this.#deadlineMs = deadlineMs;
    this.#listener = listener;
    this.#server = createServer((connection) => this.#accept(connection));
    this.#server.maxConnections = MAXIMUM_CONNECTIONS;
  }

  /** Rejects with a system error, such as `EADDRINUSE`. */
  listen(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(path, () => {
        this.#server.off("error", reject);
        // Out of file descriptors: ExaBGP's next helper tries again.
        this.#server.on("error", () => {});
        resolve();
      });
    });
  }

  /** From now on, the helper that names this start of ExaBGP may join, and no other. */
  expect(run: string): void {
    this.dismiss();
    this.#expectedRun = run;
  }

  /** Closes all connections without telling the listener; no helper may join until `expect`. */
  dismiss(): void {
    this.#expectedRun = undefined;
    this.#helper = undefined;
    clearInterval(this.#heartbeats);
    for (const connection of this.#connections) connection.destroy();
  }

  /** Like `dismiss`, and the joined helper ends its ExaBGP. */
  end(reason: string): void {
    const helper = this.#helper;
    if (helper) {
      this.#connections.delete(helper);
      end(helper, reason);
    }
    this.dismiss();
  }

  /** Sends to the joined helper; lost if there is none. */
  set(sequence: number, routes: readonly RouteCommands[]): void {
    if (this.#helper) send(this.#helper, { type: "set", sequence, routes });
  }

  close(): Promise<void> {
    this.dismiss();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #accept(connection: Socket): void {
    if (this.#expectedRun === undefined) {
      connection.destroy();
      return;
    }
    this.#connections.add(connection);
    const lines = new LineSplitter(LINE_LIMIT_BYTES);
    let problem = "the helper closed its connection";
    const helloDeadline = setTimeout(() => connection.destroy(), HELLO_DEADLINE_MS);
    connection.on("data", (chunk) => {
      for (const line of lines.push(chunk)) {
        if (connection.destroyed) return;
        const message = line === undefined ? undefined : parseHelperMessage(line);
        if (message === undefined) {
          problem = "the helper sent what is no message of the protocol";
          connection.destroy();
        } else if (message.type === "hello") {
          clearTimeout(helloDeadline);
          this.#hello(connection, message);
        } else if (connection === this.#helper) {
          this.#handle(message);
        }
      }
    });
    connection.on("error", (error) => {
      problem = `the helper's connection broke: ${error.message}`;
    });
    connection.on("close", () => {
      clearTimeout(helloDeadline);
      this.#connections.delete(connection);
      if (connection === this.#helper) this.#leave(problem);
    });
    send(connection, { type: "hello", version: PROTOCOL_VERSION, deadlineMs: this.#deadlineMs });
  }

  #hello(connection: Socket, hello: Hello): void {
    if (hello.run !== this.#expectedRun) {
      end(connection, "it was started for another daemon, or with another configuration");
    } else if (this.#helper) {
      // ExaBGP starts one helper at a time: if the first has died, its connection ends now. Otherwise this one has no
      // business here.
      connection.destroy();
    } else {
      this.#helper = connection;
      this.#startHeartbeats(connection);
      this.#listener.joined(hello);
    }
  }

  #handle(message: Exclude<HelperMessage, Hello>): void {
    if (message.type === "error") this.#leave(`the helper gave up: ${printable(message.message)}`);
    else if (message.type !== "alive") this.#listener.reported(message);
    else if (message.probe === this.#probe) this.#unansweredProbes = 0;
  }

  #startHeartbeats(connection: Socket): void {
    this.#unansweredProbes = 0;
    let heartbeats = 0;
    this.#heartbeats = setInterval(() => {
      heartbeats += 1;
      if (heartbeats % HEARTBEATS_PER_PROBE !== 0) {
        send(connection, { type: "heartbeat" });
      } else if (this.#unansweredProbes === MAXIMUM_UNANSWERED_PROBES) {
        this.#leave(`${MAXIMUM_UNANSWERED_PROBES} probes in a row had no answer`);
      } else {
        this.#unansweredProbes += 1;
        this.#probe += 1;
        send(connection, { type: "heartbeat", probe: this.#probe });
      }
    }, this.#deadlineMs / HEARTBEATS_PER_DEADLINE);
  }

  #leave(reason: string): void {
    this.dismiss();
    this.#listener.left(reason);
  }
}

function end(connection: Socket, reason: string): void {
  send(connection, { type: "end", reason });
  connection.end();
}

function send(connection: Socket, message: DaemonMessage): void {
  if (connection.writable) connection.write(`${JSON.stringify(message)}\n`);
}
