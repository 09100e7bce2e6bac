import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { onTestFinished } from "vitest";
import type { StoredRow } from "../../../src/adapters/store/store.ts";
import type { LoggedChange } from "../../../src/core/bindings/row-change.ts";
import { siblingFile, until } from "./store-fixture.ts";

export type ParentMessage =
  | { readonly type: "append"; readonly changes: readonly LoggedChange[] }
  | { readonly type: "close" };

export type ChildMessage =
  | { readonly type: "opened"; readonly bootCount: number; readonly rows: readonly StoredRow[] }
  | { readonly type: "refused"; readonly code: string; readonly message: string }
  | { readonly type: "durable"; readonly position: number }
  | { readonly type: "failed"; readonly reason: string };

/** A store in a process of its own, which can be killed. */
export class StoreProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  opened: Extract<ChildMessage, { type: "opened" }> | undefined;
  refused: Extract<ChildMessage, { type: "refused" }> | undefined;
  durablePosition = 0;

  constructor(directory: string) {
    // Rows are bytes, which JSON has no form for.
    this.#child = fork(siblingFile("store-child.ts"), [directory], { serialization: "advanced" });
    this.#exited = once(this.#child, "exit");
    onTestFinished(() => this.kill());
    this.#child.on("message", (message: ChildMessage) => {
      if (message.type === "opened") this.opened = message;
      else if (message.type === "refused") this.refused = message;
      else if (message.type === "durable") this.durablePosition = message.position;
      else throw new Error(message.reason);
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  async untilOpen(): Promise<this> {
    await until(() => this.opened !== undefined || this.refused !== undefined, "the child says how the open went");
    return this;
  }

  append(changes: readonly LoggedChange[]): void {
    this.#send({ type: "append", changes });
  }

  async untilDurable(position: number): Promise<void> {
    await until(() => this.durablePosition >= position, `position ${position} is durable`);
  }

  async close(): Promise<void> {
    this.#send({ type: "close" });
    await this.#exited;
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill("SIGKILL");
    await this.#exited;
  }

  #send(message: ParentMessage): void {
    this.#child.send(message);
  }
}
