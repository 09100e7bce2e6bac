import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { type Command, commandEnvironment, runCommand } from "../../kernel/command.ts";
import type { SpeakerState } from "../advertiser.ts";
import { type Account, confinement, findAccount } from "./account.ts";
import { isKnownVersion, printable } from "./api-dialect.ts";
import { type ExabgpCommands, exabgpCommands, VERSION_OPTION } from "./exabgp-commands.ts";
import { exabgpConfig, exabgpEnvironment } from "./exabgp-config.ts";
import { HelperChannel } from "./helper-channel.ts";
import type { RouteCommands } from "./helper-protocol.ts";
import { RestartBackoff } from "./restart-backoff.ts";
import { RuntimeDirectory } from "./runtime-directory.ts";
import { DEFAULT_HELPER_DEADLINE_MS, type Speaker, type SpeakerListener, type SpeakerOptions } from "./speaker.ts";
import { helperCommand } from "./speaker-files.ts";
import { SpeakerProcess } from "./speaker-process.ts";

const CHECK_TIMEOUT_MS = 10_000;
/** From the start of ExaBGP until its helper must have joined. */
const JOIN_DEADLINE_MS = 10_000;
/** From SIGTERM to SIGKILL. */
const TERMINATION_DEADLINE_MS = 2000;

/** What a start needs to know, determined once. */
interface Place {
  readonly account: Account;
  readonly directory: RuntimeDirectory;
  readonly commands: ExabgpCommands;
}

/** Keeps one ExaBGP with its helper running: starts it, watches it, kills it when it can't be trusted, starts it again. */
export class SpeakerSupervisor implements Speaker {
  readonly #options: SpeakerOptions;
  readonly #listener: SpeakerListener;
  readonly #channel: HelperChannel;
  readonly #backoff = new RestartBackoff();
  #starting: Promise<void> | undefined;
  #directory: RuntimeDirectory | undefined;
  #place: Place | undefined;
  #process: SpeakerProcess | undefined;
  #state: SpeakerState = "stopped";
  #startedAtMs = 0;
  #restarts = 0;
  #lastError: string | undefined;
  /** Either the deadline for the helper to join, or the pause before a restart. */
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SpeakerOptions, listener: SpeakerListener) {
    this.#options = options;
    this.#listener = listener;
    this.#channel = new HelperChannel(options.helperDeadlineMs ?? DEFAULT_HELPER_DEADLINE_MS, {
      joined: ({ speaker }) => this.#joined(speaker),
      reported: (report) => listener.reported(report),
      left: (reason) => this.restart(reason),
    });
  }

  get state(): SpeakerState {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get restarts(): number {
    return this.#restarts;
  }

  get lastError(): string | undefined {
    return this.#lastError;
  }

  /** Rejects with the reason if ExaBGP can't be run; otherwise the rest follows by itself. */
  start(): Promise<void> {
    this.#state = "starting";
    this.#starting = this.#prepare().then(
      (place) => this.#spawn(place),
      async (error: Error) => {
        await this.#release();
        this.#state = "failed";
        this.#lastError = error.message;
        throw error;
      },
    );
    return this.#starting;
  }

  /** Replaces all routes; lost unless the state is `running`. */
  set(sequence: number, routes: readonly RouteCommands[]): void {
    this.#channel.set(sequence, routes);
  }

  /** Ends ExaBGP at once, which closes its sessions, and starts another after a pause. */
  restart(reason: string): void {
    if (this.#state !== "starting" && this.#state !== "running") return;
    this.#state = "failed";
    this.#lastError = reason;
    clearTimeout(this.#timer);
    this.#channel.dismiss();
    this.#process?.kill("SIGKILL");
    this.#options.log.event("speaker-stopped", { reason });
    this.#listener.lost(reason);
    const pauseMs = this.#backoff.nextDelayMs(performance.now() - this.#startedAtMs);
    void Promise.resolve(this.#process?.exited).then(() => {
      this.#process = undefined;
      const place = this.#place;
      if (this.#state !== "failed" || !place) return;
      this.#timer = setTimeout(() => {
        this.#restarts += 1;
        this.#spawn(place);
      }, pauseMs);
    });
  }

  /** Ends ExaBGP gracefully, or after a deadline by force, and removes its files. */
  async stop(): Promise<void> {
    await this.#starting?.catch(() => {});
    this.#state = "stopped";
    clearTimeout(this.#timer);
    const ended = this.#process;
    if (ended) {
      ended.kill("SIGTERM");
      const inTime = await Promise.race([ended.exited, delay(TERMINATION_DEADLINE_MS, undefined, { ref: false })]);
      if (inTime === undefined) ended.kill("SIGKILL");
      await ended.exited;
    }
    this.#process = undefined;
    await this.#release();
  }

  /**
   * Claims what belongs to us alone, and tries what can be tried without a session, so that mistakes are reported now with
   * their cause.
   */
  async #prepare(): Promise<Place> {
    const account = await findAccount(this.#options.user);
    const directory = new RuntimeDirectory(
      this.#options.runtimeDirectory,
      account.foreign ? account : { isGroupShared: false },
    );
    await directory.claim();
    this.#directory = directory;
    await this.#channel.listen(directory.files.socket);
    directory.shareSocket();
    directory.write(directory.files.environment, exabgpEnvironment(account.name));
    directory.write(directory.files.config, exabgpConfig(this.#options.bgp, helperCommand(this.#options, "check")));
    await attempt(
      [...confinement(account), ...helperCommand(this.#options, "check"), "--check"],
      `user ${account.name} can't run the helper (can it pass all directories above ${directory.path}?)`,
    );
    const commands = await this.#findCommands(account, directory);
    await attempt(
      [...confinement(account), ...commands.validate],
      `user ${account.name} can't run ExaBGP with ${directory.files.config}`,
      commands.variables,
    );
    this.#place = { account, directory, commands };
    return this.#place;
  }

  async #findCommands(account: Account, directory: RuntimeDirectory): Promise<ExabgpCommands> {
    const program = this.#options.exabgpPath ?? "exabgp";
    const { problem } = await tryOut([...confinement(account), program, VERSION_OPTION]);
    return exabgpCommands(program, directory.files, problem === undefined);
  }

  async #release(): Promise<void> {
    await this.#channel.close();
    this.#directory?.clear();
    this.#directory = undefined;
    this.#place = undefined;
  }

  #spawn({ account, directory, commands }: Place): void {
    const run = randomUUID();
    this.#state = "starting";
    this.#startedAtMs = performance.now();
    this.#timer = setTimeout(() => this.restart("the helper did not join in time"), JOIN_DEADLINE_MS);
    this.#channel.expect(run);
    try {
      directory.write(directory.files.config, exabgpConfig(this.#options.bgp, helperCommand(this.#options, run)));
      const started = new SpeakerProcess(
        [...confinement(account), ...commands.run],
        { ...commandEnvironment(), ...commands.variables },
        (line) => this.#options.log.event("speaker-output", { line: printable(line) }),
      );
      this.#process = started;
      if (started.pid !== undefined) directory.recordSpeaker(started.pid);
      void started.exited.then((how) => {
        if (started === this.#process) this.restart(`ExaBGP ${how}`);
      });
    } catch (error) {
      // The disk is full, or the files were removed.
      this.restart(`ExaBGP's files can't be written: ${(error as Error).message}`);
    }
  }

  #joined(version: string): void {
    clearTimeout(this.#timer);
    this.#state = "running";
    this.#options.log.event("speaker-started", { pid: this.#process?.pid, version: printable(version) });
    if (!isKnownVersion(version)) {
      const problem = "this version of ExaBGP is not known: what it says may be misunderstood";
      this.#options.log.event("speaker-problem", { problem, line: printable(version) });
    }
    this.#listener.joined();
  }
}

/** Runs a command to its end; what it printed is in the error if it fails. */
async function attempt(command: Command, problem: string, variables: Readonly<Record<string, string>> = {}) {
  const result = await tryOut(command, variables);
  if (result.problem === undefined) return;
  const said = `${result.stdout}\n${result.stderr}`.trim().split("\n").slice(-3).map(printable).join("; ");
  throw new Error(`${problem}: ${said || result.problem}`);
}

function tryOut(command: Command, variables: Readonly<Record<string, string>> = {}) {
  return runCommand(command, {
    // Nothing in our environment may change how ExaBGP behaves.
    env: { ...commandEnvironment(), ...variables },
    cwd: "/",
    timeoutMs: CHECK_TIMEOUT_MS,
  });
}
