/** Worker thread that owns the tables. */
import { workerData } from "node:worker_threads";
import { serve } from "./serve.ts";
import { TablesFile } from "./tables-file.ts";
import type { FoldReport, FoldRequest, FoldWorkerData } from "./worker-messages.ts";

const data = workerData as FoldWorkerData;

serve<FoldRequest, FoldReport>(data.path, (report) => {
  const tables = new TablesFile(data);
  while (tables.fold(data.lastSequence));
  report({ type: "opened", foldedSequence: tables.foldedSequence });
  let throughSequence = data.lastSequence;

  return {
    handle(request) {
      throughSequence = request.throughSequence;
    },
    idle() {
      const more = tables.fold(throughSequence);
      report({ type: "folded", foldedSequence: tables.foldedSequence });
      return more;
    },
    close: () => tables.close(),
  };
});
