/**
 * Whether replies get out: what becomes of those that are sent, and whether there are routes to the foreign agents that were
 * answered lately. A member without either attracts requests that nobody will ever see an answer to.
 */
import type { Outcomes, Routes } from "../adapters/checks/self-checks.ts";
import { withoutRoute } from "../adapters/net/udp-socket.ts";
import type { Binding } from "../core/bindings/binding.ts";
import type { Endpoint, Ipv4Address } from "../core/wire/ipv4.ts";
import { isAccepted } from "../core/wire/reply-code.ts";

/** Foreign agents that are looked after, the ones answered last. */
const REMEMBERED = 16;

type FindRoutes = typeof withoutRoute;

export class ReplyPaths {
  readonly #findRoutes: FindRoutes;
  /** The one answered last comes last. */
  readonly #foreignAgents = new Set<Ipv4Address>();
  #tried = 0;
  #failed = 0;
  #lastError = "";
  #routes: Routes = { known: 0, missing: 0, problem: "" };

  constructor(findRoutes: FindRoutes = withoutRoute) {
    this.#findRoutes = findRoutes;
  }

  /** What became of replies to foreign agents that are remembered, since the start. */
  get outcomes(): Outcomes {
    return { tried: this.#tried, failed: this.#failed, problem: this.#lastError };
  }

  /** As of the last look. */
  get routes(): Routes {
    return this.#routes;
  }

  /** A member that starts knows from its bindings whom it will have to answer. */
  expect(bindings: Iterable<Binding>): void {
    for (const { registration } of bindings) {
      for (const { foreignAgent } of registration.careOfAddresses) this.#foreignAgents.add(foreignAgent.address);
      if (this.#foreignAgents.size >= REMEMBERED) return;
    }
  }

  /** A reply is about to be sent. Only one that accepts says that somebody asked who is to be taken seriously. */
  replied(reply: Uint8Array, { address }: Endpoint): void {
    if (isAccepted(reply[1] ?? Number.NaN)) {
      this.#foreignAgents.delete(address);
      this.#foreignAgents.add(address);
      const [oldest] = this.#foreignAgents;
      if (oldest !== undefined && this.#foreignAgents.size > REMEMBERED) this.#foreignAgents.delete(oldest);
    }
    if (this.#foreignAgents.has(address)) this.#tried++;
  }

  failed({ address }: Endpoint, problem: string): void {
    if (!this.#foreignAgents.has(address)) return;
    this.#failed++;
    this.#lastError = problem;
  }

  /** From the address that replies leave from. */
  async look(local: Ipv4Address): Promise<void> {
    const foreignAgents = [...this.#foreignAgents];
    const missing = await this.#findRoutes(local, foreignAgents);
    const [problem = ""] = missing.values();
    this.#routes = { known: foreignAgents.length, missing: missing.size, problem };
  }
}
