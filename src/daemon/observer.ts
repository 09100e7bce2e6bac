import type { Observer } from "../cluster/io.ts";
import type { Counters } from "../telemetry/counters.ts";
import type { EventLog } from "../telemetry/log.ts";

/** What the core reports goes into counters and log. */
export function observeInto(counters: Counters, log: EventLog): Observer {
  return {
    count: (counter) => counters.add(counter),
    countBy: (counter, label) => counters.addLabeled(counter, label),
    event: (event, fields) => log.event(event, fields),
  };
}
