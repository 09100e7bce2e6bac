import type { SpeakerState } from "../advertiser.ts";
import { findGroup } from "./account.ts";
import { isKnownVersion, printable } from "./api-dialect.ts";
import { type Hello, HelperChannel } from "./helper-channel.ts";
import type { RouteCommands } from "./helper-protocol.ts";
import { RestartBackoff } from "./restart-backoff.ts";
import { RuntimeDirectory } from "./runtime-directory.ts";
import { DEFAULT_HELPER_DEADLINE_MS, type Speaker, type SpeakerListener, type SpeakerOptions } from "./speaker.ts";
import { sidecarFiles } from "./speaker-files.ts";

/**
 * An ExaBGP that another supervisor runs beside us, in the same network namespace, and restarts when it ends. This provides
 * its files and the socket by which its helper joins. We can't kill it, but its helper can.
 */
export class SidecarSpeaker implements Speaker {
  readonly pid = undefined;
  readonly #options: SpeakerOptions;
  readonly #listener: SpeakerListener;
  readonly #channel: HelperChannel;
  readonly #backoff = new RestartBackoff();
  #directory: RuntimeDirectory | undefined;
  #run = "";
  #state: SpeakerState = "stopped";
  #joinedAtMs = 0;
  #restarts = 0;
  #lastError: string | undefined;
  #lastHello: Hello | undefined;
  /** The pause before another helper may join. */
  #pause: NodeJS.Timeout | undefined;

  constructor(options: SpeakerOptions, listener: SpeakerListener) {
    this.#options = options;
    this.#listener = listener;
    this.#channel = new HelperChannel(options.helperDeadlineMs ?? DEFAULT_HELPER_DEADLINE_MS, {
      joined: (hello) => this.#joined(hello),
      reported: (report) => listener.reported(report),
      left: (reason) => this.#left(reason),
    });
  }

  get state(): SpeakerState {
    return this.#state;
  }

  get restarts(): number {
    return this.#restarts;
  }

  get lastError(): string | undefined {
    return this.#lastError;
  }

  async start(): Promise<void> {
    this.#state = "starting";
    try {
      const { run, config, environment } = sidecarFiles(this.#options);
      const gid = await findGroup(this.#options.sidecar?.group);
      const directory = new RuntimeDirectory(this.#options.runtimeDirectory, { gid, isGroupShared: true });
      await directory.claim();
      this.#directory = directory;
      await this.#channel.listen(directory.files.socket);
      directory.shareSocket();
      directory.write(directory.files.environment, environment);
      directory.write(directory.files.config, config);
      this.#run = run;
      this.#channel.expect(run);
    } catch (error) {
      await this.#release();
      this.#state = "failed";
      this.#lastError = (error as Error).message;
      throw error;
    }
  }

  set(sequence: number, routes: readonly RouteCommands[]): void {
    this.#channel.set(sequence, routes);
  }

  restart(reason: string): void {
    this.#channel.end(reason);
    this.#left(reason);
  }

  async stop(): Promise<void> {
    this.#state = "stopped";
    clearTimeout(this.#pause);
    await this.#release();
  }

  #joined(hello: Hello): void {
    const last = this.#lastHello;
    this.#lastHello = hello;
    this.#joinedAtMs = performance.now();
    if (last?.speakerProcess === hello.speakerProcess && last.pid !== hello.pid) {
      this.restart("the helper was started again, and can't know what its ExaBGP has already told");
      return;
    }
    this.#state = "running";
    this.#options.log.event("speaker-started", { version: printable(hello.speaker) });
    if (!isKnownVersion(hello.speaker)) {
      const problem = "this version of ExaBGP is not known: what it says may be misunderstood";
      this.#options.log.event("speaker-problem", { problem, line: printable(hello.speaker) });
    }
    this.#listener.joined();
  }

  #left(reason: string): void {
    if (this.#state !== "starting" && this.#state !== "running") return;
    this.#state = "starting";
    this.#lastError = reason;
    this.#restarts += 1;
    this.#options.log.event("speaker-stopped", { reason });
    this.#listener.lost(reason);
    clearTimeout(this.#pause);
    this.#pause = setTimeout(
      () => this.#channel.expect(this.#run),
      this.#backoff.nextDelayMs(performance.now() - this.#joinedAtMs),
    );
  }

  async #release(): Promise<void> {
    await this.#channel.close();
    this.#directory?.clear();
    this.#directory = undefined;
  }
}
