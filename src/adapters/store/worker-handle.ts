/** The main thread's end of a store worker. */
import { Worker } from "node:worker_threads";
import { entryFile } from "../kernel/entry-file.ts";
import { fromErrorRecord, StoreError } from "./store-error.ts";
import type { CloseRequest, WorkerEnd } from "./worker-messages.ts";

const ENTRIES = {
  "log worker": entryFile(new URL("./log-worker.ts", import.meta.url)),
  "fold worker": entryFile(new URL("./fold-worker.ts", import.meta.url)),
};

type Opened<Report> = Extract<Report, { readonly type: "opened" }>;
type Later<Report> = Exclude<Report, WorkerEnd | { readonly type: "opened" }>;

export class WorkerHandle<Request, Report extends { readonly type: string }> {
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  #closed = false;
  #failure: StoreError | undefined;
  /** What the worker found when it opened its file; rejects with the StoreError that kept it from doing so. */
  readonly opened: Promise<Opened<Report>>;
  onReport: ((report: Later<Report>) => void) | undefined;
  /** Called once, also when the thread ended by itself. */
  onFailed: ((error: StoreError) => void) | undefined;

  constructor(name: keyof typeof ENTRIES, data: unknown) {
    this.#worker = new Worker(ENTRIES[name], { name, workerData: data });

    const { promise, resolve, reject } = Promise.withResolvers<Opened<Report>>();
    this.opened = promise;
    // Code that awaits it learns of the failure; when nothing awaits it any more, it must not end the process.
    promise.catch(() => undefined);

    const fail = (error: StoreError): void => {
      if (this.#closed || this.#failure !== undefined) return;
      this.#failure = error;
      reject(error);
      this.onFailed?.(error);
    };
    this.#worker.on("message", (report: Report | WorkerEnd) => {
      if (isEnd(report)) {
        if (report.type === "failed") fail(fromErrorRecord(report.error));
        else this.#closed = true;
      } else if (report.type === "opened") resolve(report as Opened<Report>);
      else this.onReport?.(report as Later<Report>);
    });
    this.#worker.on("error", (error) => {
      fail(new StoreError("STORE_UNAVAILABLE", `the ${name} ended: ${(error as Error).message}`, { cause: error }));
    });
    this.#exited = new Promise((exited) => {
      this.#worker.on("exit", () => {
        fail(new StoreError("STORE_UNAVAILABLE", `the ${name} ended`));
        exited();
      });
    });
  }

  get failure(): StoreError | undefined {
    return this.#failure;
  }

  post(request: Request | CloseRequest): void {
    this.#worker.postMessage(request);
  }

  /** Once everything asked for is done; a failure on the way is told to `onFailed`. */
  async close(): Promise<void> {
    this.post({ type: "close" });
    await this.#exited;
  }

  /** Ends the thread without a further report, after the system call it is in, and with that closes its file. */
  async stop(): Promise<void> {
    this.onReport = undefined;
    this.onFailed = undefined;
    await this.#worker.terminate();
    await this.#exited;
  }
}

function isEnd(report: { readonly type: string }): report is WorkerEnd {
  return report.type === "closed" || report.type === "failed";
}
