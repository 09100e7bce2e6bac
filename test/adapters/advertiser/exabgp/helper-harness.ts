/** The real helper between a daemon and an ExaBGP that are both played by the test. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type DaemonMessage,
  type HelperMessage,
  PROTOCOL_VERSION,
} from "../../../../src/adapters/advertiser/exabgp/helper-protocol.ts";
import { waitFor } from "../../../../src/lab/wait.ts";

const HELPER = fileURLToPath(new URL("../../../../exabgp/anyhome_exabgp.py", import.meta.url));
const PATIENCE_MS = 10_000;

/** Why the helper can't run here; `undefined` if it can. */
export const pythonObstacle = spawnSync("python3", ["--version"]).status === 0 ? undefined : "there is no python3";

/** What ExaBGP does with a command; `undefined` for no answer. */
export type Answer = (command: string) => readonly string[] | undefined;

/** An ExaBGP that accepts everything. */
export const obliging: Answer = (command) => (command === "version" ? ["exabgp 4.2.21", "done"] : ["done"]);

/** ExaBGP, with the helper as its API process. */
export class FakeExabgp {
  readonly commands: string[] = [];
  /** Commands that came while an earlier one had no answer yet. */
  readonly impatient: string[] = [];
  answer: Answer;
  readonly exited: Promise<NodeJS.Signals | number | null>;
  readonly #child: ChildProcessWithoutNullStreams;
  #unanswered = 0;
  #rest = "";
  complaints = "";

  constructor(socket: string, answer: Answer, args: readonly string[]) {
    this.answer = answer;
    // The shell is the helper's parent, which it takes for ExaBGP and may kill.
    const script = 'python3 -I "$@"; exit $?';
    this.#child = spawn("sh", ["-c", script, "sh", HELPER, "--socket", socket, "--run", "this-run", ...args]);
    this.exited = new Promise((resolve) => this.#child.once("exit", (code, signal) => resolve(signal ?? code)));
    this.#child.stdin.on("error", () => {});
    this.#child.stderr.on("data", (chunk) => {
      this.complaints += chunk;
    });
    this.#child.stdout.on("data", (chunk) => {
      const lines = (this.#rest + chunk).split("\n");
      this.#rest = lines.pop() ?? "";
      for (const line of lines) this.#command(line);
    });
  }

  #command(line: string): void {
    this.commands.push(line);
    if (this.#unanswered > 0) this.impatient.push(line);
    this.#unanswered += 1;
    const reply = this.answer(line);
    // Later than at once, so that a helper that doesn't wait is caught.
    if (reply) setTimeout(() => this.say(...reply), 1);
  }

  say(...lines: readonly string[]): void {
    for (const line of lines) if (line === "done" || line === "error") this.#unanswered -= 1;
    this.write(lines.map((line) => `${line}\n`).join(""));
  }

  write(bytes: string): void {
    this.#child.stdin.write(bytes);
  }

  get unreadBytes(): number {
    return this.#child.stdin.writableLength;
  }

  /** Closes the pipe, as an ExaBGP that is gone. */
  end(): void {
    this.#child.stdin.end();
  }

  /** What it announces after the commands so far: the command for each prefix. */
  get announced(): Map<string, string> {
    const announced = new Map<string, string>();
    for (const command of this.commands) {
      if (command === "clear adj-rib out") announced.clear();
      const [, verb, prefix = ""] = /(announce|withdraw) route (\S+)/.exec(command) ?? [];
      if (verb === "announce") announced.set(prefix, command);
      if (verb === "withdraw") announced.delete(prefix);
    }
    return announced;
  }
}

/** The connection of one helper, as the daemon sees it. */
export class Connection {
  readonly received: HelperMessage[] = [];
  ended = false;
  readonly #socket: Socket;
  #rest = "";

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("error", () => {});
    socket.on("close", () => {
      this.ended = true;
    });
    socket.on("data", (chunk) => {
      const lines = (this.#rest + chunk).split("\n");
      this.#rest = lines.pop() ?? "";
      for (const line of lines) this.received.push(JSON.parse(line));
    });
  }

  send(...messages: readonly DaemonMessage[]): void {
    this.write(messages.map((message) => `${JSON.stringify(message)}\n`).join(""));
  }

  write(bytes: string | Buffer): void {
    this.#socket.write(bytes);
  }

  hello(deadlineMs = 60_000): void {
    this.send({ type: "hello", version: PROTOCOL_VERSION, deadlineMs });
  }

  /** Reads nothing more. */
  hang(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#socket.destroy();
  }

  async receives<T extends HelperMessage["type"]>(
    type: T,
    matching: Partial<HelperMessage> = {},
  ): Promise<Extract<HelperMessage, { type: T }>> {
    const found = await waitFor(
      () =>
        this.received.find(
          (message) =>
            message.type === type &&
            Object.entries(matching).every(([name, value]) => (message as Record<string, unknown>)[name] === value),
        ),
      { deadlineMs: PATIENCE_MS, what: `${type} ${JSON.stringify(matching)}`, intervalMs: 2 },
    ).catch((error) => {
      throw new Error(`${error.message}; received ${JSON.stringify(this.received)}`);
    });
    return found as Extract<HelperMessage, { type: T }>;
  }
}

export class Stage {
  readonly exabgp: FakeExabgp;
  readonly #directory: string;
  readonly #server: Server;
  readonly #connections: Connection[] = [];
  #taken = 0;

  private constructor(directory: string, server: Server, answer: Answer, args: readonly string[]) {
    this.#directory = directory;
    this.#server = server;
    server.on("connection", (socket) => this.#connections.push(new Connection(socket)));
    this.exabgp = new FakeExabgp(join(directory, "helper.sock"), answer, args);
  }

  static async open(answer: Answer = obliging, args: readonly string[] = []): Promise<Stage> {
    const directory = mkdtempSync(join(tmpdir(), "anyhome-helper-"));
    chmodSync(directory, 0o755);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(directory, "helper.sock"), resolve));
    return new Stage(directory, server, answer, args);
  }

  /** The helper's next connection. */
  async connection(): Promise<Connection> {
    const next = await waitFor(() => this.#connections[this.#taken], {
      deadlineMs: PATIENCE_MS,
      what: `the helper to connect; it complains: ${this.exabgp.complaints}`,
      intervalMs: 2,
    });
    this.#taken += 1;
    return next;
  }

  /** A connection on which both sides have said hello. */
  async joined(deadlineMs?: number): Promise<Connection> {
    const connection = await this.connection();
    connection.hello(deadlineMs);
    await connection.receives("hello");
    return connection;
  }

  async until(what: string, condition: () => boolean | undefined): Promise<void> {
    await waitFor(condition, { deadlineMs: PATIENCE_MS, what, intervalMs: 2 }).catch((error) => {
      throw new Error(`${error.message}; commands: ${JSON.stringify(this.exabgp.commands)}`);
    });
  }

  async close(): Promise<void> {
    this.exabgp.end();
    for (const connection of this.#connections) connection.close();
    await new Promise((resolve) => this.#server.close(resolve));
    await this.exabgp.exited;
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
