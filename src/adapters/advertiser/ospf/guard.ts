/**
 * Ends an ospfd that goes on announcing what the kernel has withdrawn.
 *
 * Between the kernel, which takes the leases away when the daemon ends or hangs, and ospfd is zebra. If zebra hangs or has
 * died, ospfd learns of nothing more and announces the member for as long as it lives, as nothing seems to have changed. It
 * can't be told otherwise, but it can be ended, like an ExaBGP that doesn't withdraw: its neighbors miss its hellos within
 * the dead interval, and FRR's supervisor starts it again without its stale state.
 */
import { networkInterfaces } from "node:os";
import { formatPrefix } from "../../../core/wire/ipv4.ts";
import { listeningProcess } from "../../kernel/listening-process.ts";
import type { GuardReport } from "./guard-reports.ts";
import { interfacesOf } from "./leases.ts";
import { ownCommands, readOwnState } from "./link-state.ts";
import { askVty } from "./vty.ts";

/** Looks in a row. They are counted, not timed, as a guard that was suspended itself must not blame others. */
export const PATIENCE_LOOKS = 20;
/** How many looks there are for each question to ospfd. */
const LOOKS_PER_QUESTION = 10;
/** How many looks there are for each check of what the guard may do, as FRR's supervisor may start another ospfd. */
const LOOKS_PER_CHECK = 50;
const VTY_TIMEOUT_MS = 1000;

/** Which ospfd to watch, and what it announces on which interfaces. */
export interface GuardOrder {
  readonly vtyPath: string;
  readonly routerId: string;
  readonly interfaceName: string;
  readonly prefixes: readonly string[];
}

/** What the guard can see and do; tests have implementations of their own. Prefixes are text here. */
export interface GuardedOspfd {
  /** The networks that the kernel has on our interfaces. */
  leased(): ReadonlySet<string>;
  /** What ospfd announces: nothing if it is gone, `undefined` if it doesn't answer. */
  announced(): Promise<readonly string[] | undefined>;
  /** Rejects if it is there and can't be ended by us. */
  mayEnd(): Promise<void>;
  /** Ends it. Rejects if that isn't possible. */
  end(): Promise<void>;
}

export class Guard {
  readonly #prefixes: readonly string[];
  readonly #ospfd: GuardedOspfd;
  /** By prefix, the looks in a row in which the kernel did not have it. */
  readonly #missed = new Map<string, number>();
  #looksSinceQuestion = 0;
  #looksUntilCheck = 0;
  /** Why ospfd could not be ended if that were necessary. */
  #impotence: string | undefined;
  #isSettled = false;
  #report: GuardReport = {};

  constructor(prefixes: readonly string[], ospfd: GuardedOspfd) {
    this.#prefixes = prefixes;
    this.#ospfd = ospfd;
  }

  /** Whether ospfd was found to announce nothing but what the kernel has. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** To be called at regular intervals. */
  async look(): Promise<GuardReport> {
    const leased = this.#ospfd.leased();
    for (const prefix of this.#prefixes) {
      this.#missed.set(prefix, leased.has(prefix) ? 0 : (this.#missed.get(prefix) ?? 0) + 1);
    }
    const missing = this.#prefixes.filter((prefix) => this.#missed.get(prefix) !== 0);
    const overdue = missing.filter((prefix) => (this.#missed.get(prefix) ?? 0) >= PATIENCE_LOOKS);
    if (overdue.length === 0) {
      this.#isSettled = missing.length === 0;
      this.#looksSinceQuestion = LOOKS_PER_QUESTION;
      return this.#check();
    }
    this.#looksSinceQuestion += 1;
    if (this.#looksSinceQuestion > LOOKS_PER_QUESTION) {
      this.#looksSinceQuestion = 0;
      this.#report = await this.#question(overdue);
      return this.#report;
    }
    const { failure } = this.#report;
    return failure === undefined ? {} : { failure };
  }

  async #check(): Promise<GuardReport> {
    if (this.#looksUntilCheck === 0) {
      this.#looksUntilCheck = LOOKS_PER_CHECK;
      const consequence =
        "should zebra hang, and this member withdraw, ospfd would go on announcing it, as it can't be ended";
      this.#impotence = await this.#ospfd.mayEnd().then(
        () => undefined,
        (error: Error) => `${consequence}: ${error.message}`,
      );
    }
    this.#looksUntilCheck -= 1;
    return this.#impotence === undefined ? {} : { failure: this.#impotence };
  }

  async #question(overdue: readonly string[]): Promise<GuardReport> {
    const announced = await this.#ospfd.announced();
    const leased = this.#ospfd.leased();
    const prefixes = overdue.filter((prefix) => announced?.includes(prefix) && !leased.has(prefix));
    // An ospfd that doesn't answer sends no hellos either; if it resumes, it is asked again.
    this.#isSettled = announced !== undefined && prefixes.length === 0;
    if (prefixes.length === 0) return {};
    try {
      await this.#ospfd.end();
      return { ended: prefixes };
    } catch (error) {
      return { failure: `${stale(prefixes)}, and it can't be ended: ${(error as Error).message}` };
    }
  }
}

export function stale(prefixes: readonly string[]): string {
  return `ospfd goes on announcing ${prefixes.join(", ")}, which this member has withdrawn: zebra has not told it`;
}

/** An ospfd beside us, in the same network namespace. */
export function localOspfd({ vtyPath, routerId, interfaceName }: GuardOrder): GuardedOspfd {
  const names = new Set(interfacesOf(interfaceName));
  return {
    leased() {
      const addresses = Object.entries(networkInterfaces()).filter(([name]) => names.has(name));
      return new Set(addresses.flatMap(([, its = []]) => its.flatMap(({ cidr }) => cidr ?? [])));
    },
    async announced() {
      try {
        const { stubs } = readOwnState(await askVty(vtyPath, ownCommands(routerId), VTY_TIMEOUT_MS));
        return stubs.map(({ prefix }) => formatPrefix(prefix));
      } catch (error) {
        const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
        return code === "ENOENT" || code === "ECONNREFUSED" ? [] : undefined;
      }
    },
    async mayEnd() {
      let pid: number | undefined;
      try {
        pid = await listeningProcess(vtyPath);
      } catch {
        return; // It is gone or hangs, which the daemon tells.
      }
      signal(pid, 0);
    },
    async end() {
      signal(await listeningProcess(vtyPath), "SIGKILL");
    },
  };
}

function signal(pid: number | undefined, which: NodeJS.Signals | 0): void {
  if (pid === undefined) throw new Error("it is in another PID namespace");
  process.kill(pid, which);
}
