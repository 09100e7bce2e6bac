import type { EventLog } from "../../telemetry/log.ts";
import { AREA_COMMANDS, type OspfRouter, type OwnState, ownCommands, readOwnState, readRouters } from "./link-state.ts";
import { askVty } from "./vty.ts";

const VTY_TIMEOUT_MS = 1000;
const ZEBRA_COMMANDS = ["enable", "show zebra client summary"];
/** The area is examined in only a fraction of the main loop's time: one part in so many. */
const AREA_LOOK_SHARE = 20;
/** How long to wait after an area that couldn't be examined. */
const AREA_PAUSE_MS = 10_000;

export interface FrrObserverOptions {
  /** The socket of ospfd that `vtysh` uses. */
  readonly vtyPath: string;
  /** The socket of zebra, which tells ospfd about the interfaces. */
  readonly zebraVtyPath: string;
  readonly log: EventLog;
}

/** What ospfd and zebra report when asked. */
export class FrrObserver {
  readonly #options: FrrObserverOptions;
  #own: OwnState | undefined;
  #blindness = "ospfd was not asked yet";
  #zebraProblem: string | undefined;
  #routers: readonly OspfRouter[] | undefined;
  #areaProblem: string | undefined;
  #nextAreaLookMs = 0;

  constructor(options: FrrObserverOptions) {
    this.#options = options;
  }

  /** `undefined`: not known. */
  get own(): OwnState | undefined {
    return this.#own;
  }

  /** Why that isn't known. */
  get blindness(): string {
    return this.#blindness;
  }

  /** Why ospfd may not learn of what changes. */
  get zebraProblem(): string | undefined {
    return this.#zebraProblem;
  }

  /** Those of the area; `undefined` if not known. */
  get routers(): readonly OspfRouter[] | undefined {
    return this.#routers;
  }

  async look(routerId: string): Promise<void> {
    try {
      this.#own = readOwnState(await askVty(this.#options.vtyPath, ownCommands(routerId), VTY_TIMEOUT_MS));
    } catch (error) {
      this.#own = undefined;
      this.#blindness = (error as Error).message;
      this.#routers = undefined;
      this.#nextAreaLookMs = 0;
      return;
    }
    await Promise.all([this.#lookAtZebra(), this.#lookThroughArea()]);
  }

  /** If zebra hangs or is gone, ospfd goes on with what it knew, and its reports look as healthy as ever. */
  async #lookAtZebra(): Promise<void> {
    try {
      const answers = await askVty(this.#options.zebraVtyPath, ZEBRA_COMMANDS, VTY_TIMEOUT_MS);
      const isTold = /^ospf\b/m.test(answers.at(-1) ?? "");
      this.#zebraProblem = isTold
        ? undefined
        : "zebra has no connection to ospfd, which learns of no change until it has";
    } catch (error) {
      this.#zebraProblem = `zebra tells ospfd of no change: ${(error as Error).message}`;
    }
  }

  /** Who else announces. If the area is too large for that, it isn't known, and the announcement stays. */
  async #lookThroughArea(): Promise<void> {
    if (performance.now() < this.#nextAreaLookMs) return;
    try {
      const answers = await askVty(this.#options.vtyPath, AREA_COMMANDS, VTY_TIMEOUT_MS);
      const startedMs = performance.now();
      this.#routers = readRouters(answers);
      const now = performance.now();
      this.#nextAreaLookMs = now + (now - startedMs) * (AREA_LOOK_SHARE - 1);
      this.#areaProblem = undefined;
    } catch (error) {
      this.#routers = undefined;
      this.#nextAreaLookMs = performance.now() + AREA_PAUSE_MS;
      const problem = `who else announces isn't known, as the area can't be looked through: ${(error as Error).message}`;
      if (this.#areaProblem !== problem) this.#options.log.event("speaker-problem", { problem });
      this.#areaProblem = problem;
    }
  }
}
