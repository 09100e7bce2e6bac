/** The configuration in force, and how another one replaces it while the daemon runs: as a whole or not at all. */
import type { ReloadView, StatusView } from "../adapters/api/members.ts";
import type { Counters } from "../adapters/telemetry/counters.ts";
import type { EventLog } from "../adapters/telemetry/log.ts";
import { compareConfigs } from "../config/changes.ts";
import type { Config } from "../config/config.ts";
import type { LoadedConfig } from "../config/load.ts";
import { ConfigError, formatProblem } from "../config/problem.ts";

export interface LiveConfigOptions {
  readonly loaded: LoadedConfig;
  /** Reads the file again. Rejects with a ConfigError if it can't be used. */
  readonly load: (running: LoadedConfig) => Promise<LoadedConfig>;
  readonly log: EventLog;
  readonly counters: Counters;
}

export class LiveConfig {
  lastReload: StatusView["lastReload"] = null;
  /** Called with a configuration that is in force from now on. */
  apply: (config: Config) => void = () => undefined;
  /** Called when the outcome of a reload is known. */
  settled: () => void = () => undefined;
  readonly #options: LiveConfigOptions;
  #loaded: LoadedConfig;
  /** Reloads run one at a time, in the order of the requests. */
  #queue: Promise<unknown> = Promise.resolve();
  /**
   * The reload of each kind that hasn't begun. It will read the file as it is then, which answers all requests until then.
   */
  readonly #waiting = new Map<boolean, Promise<ReloadView>>();

  constructor(options: LiveConfigOptions) {
    this.#options = options;
    this.#loaded = options.loaded;
  }

  get current(): Config {
    return this.#loaded.config;
  }

  /** With `checkOnly` nothing changes. Never rejects. */
  reload(checkOnly = false): Promise<ReloadView> {
    const waiting = this.#waiting.get(checkOnly);
    if (waiting !== undefined) return waiting;
    const reloaded = this.#queue.then(() => {
      this.#waiting.delete(checkOnly);
      return this.#reload(checkOnly);
    });
    this.#waiting.set(checkOnly, reloaded);
    this.#queue = reloaded;
    return reloaded;
  }

  async #reload(checkOnly: boolean): Promise<ReloadView> {
    const { loaded, view } = await this.#read(checkOnly);
    if (checkOnly) return view;
    const { outcome, changes } = view;
    const problems = outcome === "refused" ? [needsRestart(view)] : view.problems;
    if (outcome === "applied" && loaded !== undefined) {
      this.#loaded = loaded;
      this.apply(loaded.config);
      this.#options.log.event("configuration-reloaded", { changes: changes.map(({ path }) => path) });
    } else if (outcome !== "unchanged") this.#options.log.event("configuration-refused", { outcome, problems });
    this.#options.counters.addLabeled("reloads", outcome);
    const isInForce = outcome === "applied" || outcome === "unchanged";
    this.lastReload = {
      at: new Date().toISOString(),
      outcome,
      problem: isInForce ? null : problems.join("\n"),
    };
    this.settled();
    return view;
  }

  async #read(checked: boolean): Promise<{ readonly loaded?: LoadedConfig; readonly view: ReloadView }> {
    try {
      const loaded = await this.#options.load(this.#loaded);
      const changes = [...compareConfigs(this.#loaded.written, loaded.written, this.current.node)];
      const isLive = changes.every(({ live }) => live);
      const outcome = changes.length === 0 ? "unchanged" : isLive ? "applied" : "refused";
      return { loaded, view: { checked, outcome, changes, problems: loaded.warnings.map(formatProblem) } };
    } catch (error) {
      const problems = error instanceof ConfigError ? error.problems.map(formatProblem) : [String(error)];
      return { view: { checked, outcome: "invalid", changes: [], problems } };
    }
  }
}

function needsRestart({ changes }: ReloadView): string {
  const keys = changes.filter(({ live }) => !live).map(({ path }) => path);
  return `only a restart can change ${keys.join(", ")}`;
}
