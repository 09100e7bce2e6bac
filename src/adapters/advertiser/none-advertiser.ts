import type { Advertisement, Advertiser, AdvertiserListener, AdvertiserStatus } from "./advertiser.ts";
import { UNKNOWN_VIEW } from "./routing-view.ts";

/** Announces nothing: the operator routes the virtual network to this home agent by other means. */
export class NoneAdvertiser implements Advertiser {
  readonly #listener: AdvertiserListener;
  #running = false;
  #desired: readonly Advertisement[] = [];

  constructor(listener: AdvertiserListener) {
    this.#listener = listener;
  }

  async start(): Promise<void> {
    this.#running = true;
    this.#changed();
  }

  set(advertisements: readonly Advertisement[]): void {
    this.#desired = [...advertisements];
    this.#changed();
  }

  setMembers(): void {}

  status(): AdvertiserStatus {
    return {
      type: "none",
      speaker: this.#running ? "running" : "stopped",
      restarts: 0,
      desired: this.#desired,
      applied: this.#running ? this.#desired : [],
      neighbors: [],
      view: UNKNOWN_VIEW,
    };
  }

  async stop(): Promise<void> {
    this.#running = false;
    this.#desired = [];
    this.#changed();
  }

  #changed(): void {
    this.#listener.changed(this.status());
  }
}
