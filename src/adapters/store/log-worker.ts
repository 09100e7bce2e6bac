/** Worker thread that owns the log. */
import { workerData } from "node:worker_threads";
import { LogFile } from "./log-file.ts";
import { serve } from "./serve.ts";
import type { LogReport, LogRequest, LogWorkerData } from "./worker-messages.ts";

/** Removed at a time, so that a group never waits long for it. */
const TRIM_BATCH = 1_000;

const data = workerData as LogWorkerData;

serve<LogRequest, LogReport>(data.path, (report) => {
  const log = new LogFile(data);
  report({ type: "opened", lastSequence: log.lastSequence });
  let trimThroughSequence = 0;

  return {
    handle(request) {
      if (request.type === "trim") {
        trimThroughSequence = request.throughSequence;
        return;
      }
      const startMs = performance.now();
      log.append(request.changes);
      const commitMs = performance.now() - startMs;
      report({ type: "committed", lastPosition: request.lastPosition, lastSequence: log.lastSequence, commitMs });
    },
    idle() {
      const more = log.trim(trimThroughSequence, TRIM_BATCH);
      log.checkpointIfDue();
      return more;
    },
    close: () => log.close(),
  };
});
