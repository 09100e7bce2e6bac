import type { Store, StoreListener } from "../adapters/store/store.ts";
import type { EventLog } from "../adapters/telemetry/log.ts";
import type { Driver } from "./driver.ts";

interface Waiter {
  readonly position: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Passes the store's news on to the core, to those who wait for a position, and to the assessment of health. */
export class StoreWatch implements StoreListener {
  /** Why the store can't write now. */
  failure: string | undefined;
  readonly #log: EventLog;
  #attached: { readonly store: Store; readonly driver: Driver; readonly changed: () => void } | undefined;
  #waiters: Waiter[] = [];

  constructor(log: EventLog) {
    this.#log = log;
  }

  /** The store must be open before there is anything to pass its news to. */
  attach(store: Store, driver: Driver, changed: () => void): void {
    this.#attached = { store, driver, changed };
  }

  /** Rejects if the change at `position` is lost. */
  untilDurable(position: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ position, resolve, reject });
    });
  }

  durable(position: number): void {
    this.#attached?.driver.input({ type: "durable", position });
    this.#settle(
      (waiter) => waiter.position <= position,
      (waiter) => waiter.resolve(),
    );
  }

  failed(firstPosition: number, reason: string): void {
    this.failure = reason;
    this.#log.event("store-failed", { reason });
    this.#attached?.driver.input({ type: "store-failed", firstPosition, reason });
    this.#settle(
      (waiter) => waiter.position >= firstPosition,
      (waiter) => waiter.reject(new Error(reason)),
    );
    this.#attached?.changed();
    this.#attached?.store.recover();
  }

  recovered(): void {
    this.failure = undefined;
    this.#log.event("store-recovered");
    this.#attached?.driver.input({ type: "store-recovered" });
    this.#attached?.changed();
  }

  #settle(isSettled: (waiter: Waiter) => boolean, settle: (waiter: Waiter) => void): void {
    if (this.#waiters.length === 0) return;
    const settled = this.#waiters.filter(isSettled);
    this.#waiters = this.#waiters.filter((waiter) => !isSettled(waiter));
    for (const waiter of settled) settle(waiter);
  }
}
