import type { Counters } from "../adapters/telemetry/counters.ts";
import type { EventLog } from "../adapters/telemetry/log.ts";
import type { Observer } from "../core/observer.ts";
import type { TakeoverHistory } from "./takeover-history.ts";

/** Passes what the core reports to the counters and the log, and remembers takeovers. */
export function observeInto(counters: Counters, log: EventLog, takeovers: TakeoverHistory): Observer {
  return {
    count: (counter) => counters.add(counter),
    countBy: (counter, label) => counters.addLabeled(counter, label),
    event: (event, fields) => {
      log.event(event, fields);
      if (event === "takeover-finished") takeovers.note(String(fields.member), Number(fields.bindings), Date.now());
    },
  };
}
