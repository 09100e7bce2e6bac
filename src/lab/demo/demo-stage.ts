import { z } from "zod";
import { type BindingView, bindingView } from "../../adapters/api/bindings.ts";
import type { RunResult } from "../namespaces/namespace.ts";
import { type MobileRow, mobileRows, mobileTable } from "./demo-mobiles.ts";

/** What both demos have in common: how they print, and how they register and look up mobiles. */
export class Stage {
  readonly signal: AbortSignal;
  #step = 0;

  constructor(signal: AbortSignal) {
    this.signal = signal;
  }

  title(text: string): void {
    console.log(`\n${text}`);
  }

  /** The next step begins. */
  step(text: string): void {
    this.signal.throwIfAborted();
    this.#step += 1;
    console.log(`\n${this.#step}. ${text}\n`);
  }

  show(text: string): void {
    console.log(text.replace(/^(?=.)/gm, "   "));
  }

  /**
   * Registers mobiles one after the other.
   *
   * @throws where one is not accepted
   */
  async register<T extends { readonly mobile: string }>(
    mobiles: readonly T[],
    send: (mobile: T, args: readonly string[]) => Promise<RunResult>,
  ): Promise<void> {
    for (const it of mobiles) {
      this.signal.throwIfAborted();
      const { exitCode, stdout, stderr } = await send(it, ["mn", "register", "--home-address", it.mobile]);
      if (exitCode !== 0) throw new Error(`${it.mobile} could not register: ${stderr || stdout}`);
    }
  }

  /**
   * Shows who is ingress and owner of each mobile.
   *
   * @param ask runs an `anyhome` command on a home agent
   * @throws where a mobile has no owner
   */
  async mobiles(
    expected: readonly string[],
    homeAgents: readonly string[],
    ask: (homeAgent: string, args: readonly string[]) => Promise<RunResult>,
  ): Promise<MobileRow[]> {
    const views = new Map<string, BindingView[]>();
    for (const homeAgent of homeAgents) {
      const { exitCode, stdout, stderr } = await ask(homeAgent, ["bindings", "list", "-o", "json"]);
      if (exitCode !== 0) throw new Error(`${homeAgent} does not list its bindings: ${stderr}`);
      views.set(homeAgent, z.array(bindingView).parse(JSON.parse(stdout)));
    }
    const rows = mobileRows(views).filter(({ mobile }) => expected.includes(mobile));
    const lost = expected.filter((mobile) => !rows.some((row) => row.mobile === mobile));
    if (lost.length > 0) throw new Error(`no home agent owns ${lost.join(", ")}`);
    this.show(mobileTable(rows));
    return rows;
  }
}
