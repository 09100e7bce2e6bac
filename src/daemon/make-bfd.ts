import { BfdSpeaker } from "../adapters/bfd/speaker.ts";
import type { Counters } from "../adapters/telemetry/counters.ts";
import type { EventLog } from "../adapters/telemetry/log.ts";
import type { Config } from "../config/config.ts";

/** Where the configuration has neighbors for it. */
export function makeBfd({ bfd: timers, self }: Config, log: EventLog, counters: Counters): BfdSpeaker | undefined {
  return self.bfd && new BfdSpeaker({ ...timers, ...self.bfd }, log, counters);
}
