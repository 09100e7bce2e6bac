/** A home agent daemon as a process of its own, alone in its cluster, on the loopback interface. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { stringify } from "yaml";
import { type Endpoint, ipv4 } from "../../src/core/wire/ipv4.ts";
import { freeUdpPorts } from "../../src/lab/free-port.ts";
import { readiness } from "../../src/lab/home-agent.ts";
import { ANYHOME_MAIN } from "../../src/lab/place.ts";
import { waitFor } from "../../src/lab/wait.ts";
import { register } from "../../src/mobile/register.ts";
import { anyhome, type Run } from "../cli/anyhome.ts";

const KEY = "1234567812345678";
const LOCALHOST = ipv4("127.0.0.1");
const HOME_AGENT = ipv4("10.64.0.1");
/** A loopback address is no care-of address; nothing is sent to this one (RFC 5737). */
const CARE_OF_ADDRESS = ipv4("192.0.2.1");

export type Command = readonly [string, ...string[]];

export interface Running extends PromiseLike<{ readonly exitCode?: number }> {
  kill(signal: NodeJS.Signals): unknown;
}

/** Runs a daemon by its command; `directory` holds its files. */
export type Launch = (command: Command, directory: string) => Running;

export class LoneDaemon implements AsyncDisposable {
  readonly directory: string;
  readonly registrations: Endpoint;
  readonly cluster: Endpoint;
  #process: Running | undefined;

  private constructor(registrationPort: number, clusterPort: number) {
    this.directory = mkdtempSync(join(tmpdir(), "anyhome-daemon-"));
    this.registrations = { address: LOCALHOST, port: registrationPort };
    this.cluster = { address: LOCALHOST, port: clusterPort };
    writeFileSync(this.path("secret"), "0123456789abcdef0123456789abcdef", { mode: 0o600 });
  }

  /**
   * @param launch what runs it otherwise than its output into the file `log`
   * @param changes of the configuration
   */
  static async start(launch?: Launch, changes: Readonly<Record<string, unknown>> = {}): Promise<LoneDaemon> {
    const [registrationPort = 0, clusterPort = 0] = await freeUdpPorts(2);
    const daemon = new LoneDaemon(registrationPort, clusterPort);
    daemon.configure("anyhome.yaml", changes);
    try {
      await daemon.start(launch);
      return daemon;
    } catch (error) {
      await daemon[Symbol.asyncDispose]();
      throw error;
    }
  }

  static command(config: string): Command {
    return [process.execPath, ANYHOME_MAIN, "run", "-c", config];
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  get members(): readonly Readonly<Record<string, unknown>>[] {
    const listen = `127.0.0.1:${this.registrations.port}`;
    return [{ id: "ha1", address: "127.0.0.1", port: this.cluster.port, listen }];
  }

  /** Writes a configuration that differs from the daemon's in the top-level keys of `changes`. */
  configure(file: string, changes: Readonly<Record<string, unknown>>): void {
    const config = {
      cluster: "alone",
      "secret-file": "secret",
      node: "ha1",
      "virtual-network": "10.64.0.0/12",
      "virtual-address": "10.64.0.1",
      "manage-address": false,
      "data-directory": "data",
      "control-socket": "control.sock",
      members: this.members,
      "security-associations": { mobiles: [{ range: "10.64.1.0-10.79.255.254", spi: 256, key: KEY }] },
      ...changes,
    };
    writeFileSync(this.path(file), stringify(config), { mode: 0o600 });
  }

  /** Resolves once it is ready. */
  async start(launch?: Launch): Promise<void> {
    const command = LoneDaemon.command(this.path("anyhome.yaml"));
    this.#process = launch?.(command, this.directory) ?? intoFile(command, this.path("log"));
    await waitFor(async () => (await readiness(this.path("control.sock"))).ready, {
      deadlineMs: 60_000,
      what: "the daemon to be ready",
    });
  }

  /** Resolves with its exit code; `undefined` if the signal ended it. */
  async stop(signal: NodeJS.Signals): Promise<number | undefined> {
    const running = this.#process;
    this.#process = undefined;
    running?.kill(signal);
    return (await running)?.exitCode;
  }

  get pid(): number {
    return Number(readFileSync(this.path("data/pid"), "utf8"));
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  /** Runs another daemon with a configuration of this directory, to its end. */
  runAnother(file: string): Promise<Run> {
    return anyhome(["run", "-c", this.path(file)]);
  }

  async ask(...command: string[]): Promise<unknown> {
    const { stdout, stderr } = await anyhome([...command, "-o", "json"], { ANYHOME_SOCKET: this.path("control.sock") });
    if (stderr !== "") throw new Error(stderr);
    return JSON.parse(stdout);
  }

  /** The code of the reply; `undefined` if there was none. */
  async register(homeAddress: string): Promise<number | undefined> {
    const { result } = await register(
      {
        flags: 0,
        lifetimeSeconds: 600,
        homeAddress: ipv4(homeAddress),
        homeAgent: HOME_AGENT,
        careOfAddress: CARE_OF_ADDRESS,
        nai: undefined,
      },
      {
        target: this.registrations,
        local: { address: LOCALHOST, port: 0 },
        associations: {
          homeAgent: { spi: 256, algorithm: "hmac-md5", key: new TextEncoder().encode(KEY) },
          foreignAgent: undefined,
        },
        replayStyle: "timestamps",
        maximumTries: 4,
      },
    );
    return result.kind === "answered" ? result.reply.code : undefined;
  }

  get log(): readonly { readonly event: string; readonly time: string }[] {
    return readFileSync(this.path("log"), "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGKILL");
    rmSync(this.directory, { recursive: true });
  }
}

/** It ends with us, should we be interrupted. */
export function intoFile([file, ...args]: Command, log: string): Running {
  return execa(file, args, {
    stdin: "ignore",
    stdout: { file: log, append: true },
    stderr: "ignore",
    reject: false,
    forceKillAfterDelay: false,
  });
}
