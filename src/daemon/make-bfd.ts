import { BfdSpeaker } from "../bfd/speaker.ts";
import type { Config } from "../config/config.ts";
import type { Counters } from "../telemetry/counters.ts";
import type { EventLog } from "../telemetry/log.ts";

/** Where the configuration has neighbors for it. */
export function makeBfd({ bfd: timers, self }: Config, log: EventLog, counters: Counters): BfdSpeaker | undefined {
  return self.bfd && new BfdSpeaker({ ...timers, ...self.bfd }, log, counters);
}
