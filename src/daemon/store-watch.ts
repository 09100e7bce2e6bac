import type { Store, StoreListener } from "../adapters/store/store.ts";
import type { EventLog } from "../adapters/telemetry/log.ts";
import type { Driver } from "./driver.ts";

/** Passes news from the store on to the core and to the assessment of health. */
export class StoreWatch implements StoreListener {
  /** Why the store can't write at the moment. */
  failure: string | undefined;
  readonly #log: EventLog;
  #attached: { readonly store: Store; readonly driver: Driver; readonly changed: () => void } | undefined;

  constructor(log: EventLog) {
    this.#log = log;
  }

  /** The store must be open before there is anything to pass its news to. */
  attach(store: Store, driver: Driver, changed: () => void): void {
    this.#attached = { store, driver, changed };
  }

  durable(position: number): void {
    this.#attached?.driver.input({ type: "durable", position });
  }

  failed(firstPosition: number, reason: string): void {
    this.failure = reason;
    this.#log.event("store-failed", { reason });
    this.#attached?.driver.input({ type: "store-failed", firstPosition, reason });
    this.#attached?.changed();
    this.#attached?.store.recover();
  }

  recovered(): void {
    this.failure = undefined;
    this.#log.event("store-recovered");
    this.#attached?.driver.input({ type: "store-recovered" });
    this.#attached?.changed();
  }
}
