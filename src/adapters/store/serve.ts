/** The frame of a store worker: one file, requests one after the other, nothing more after the first failure. */
import { parentPort } from "node:worker_threads";
import { toStoreError } from "./database.ts";
import { toErrorRecord } from "./store-error.ts";
import type { CloseRequest, WorkerEnd } from "./worker-messages.ts";

/** What a worker does; whatever one of these throws ends its work. */
export interface WorkerTask<Request> {
  handle(request: Exclude<Request, CloseRequest>): void;
  /** Called while there is nothing to handle; true to be called again. */
  idle?(): boolean;
  close(): void;
}

export function serve<Request extends { readonly type: string }, Report>(
  path: string,
  start: (report: (report: Report) => void) => WorkerTask<Request>,
): void {
  const port = parentPort;
  if (port === null) throw new Error("this module runs in a worker thread");
  const post = (report: Report | WorkerEnd): void => port.postMessage(report);

  let task: WorkerTask<Request> | undefined;
  const guarded = (action: () => void): void => {
    try {
      action();
    } catch (error) {
      // The main thread ends this worker now; until it does, what else has been sent must not be written.
      task = undefined;
      post({ type: "failed", error: toErrorRecord(toStoreError(path, error)) });
    }
  };

  let idleScheduled = false;
  const idle = (): void => {
    idleScheduled = false;
    guarded(() => {
      if (task?.idle?.()) scheduleIdle();
    });
  };
  const scheduleIdle = (): void => {
    if (!idleScheduled) setImmediate(idle);
    idleScheduled = true;
  };

  guarded(() => {
    task = start(post);
  });
  port.on("message", (request: Request) => {
    guarded(() => {
      if (task === undefined) return;
      if (isClose(request)) {
        while (task.idle?.());
        task.close();
        task = undefined;
        post({ type: "closed" });
        port.close();
      } else {
        task.handle(request as Exclude<Request, CloseRequest>);
        scheduleIdle();
      }
    });
  });
}

function isClose(request: { readonly type: string }): request is CloseRequest {
  return request.type === "close";
}
