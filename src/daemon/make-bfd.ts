import { BfdSpeaker } from "../adapters/bfd/speaker.ts";
import type { Counters } from "../adapters/telemetry/counters.ts";
import type { EventLog } from "../adapters/telemetry/log.ts";
import type { Config } from "../config/config.ts";

/** `undefined` if no neighbors are configured. */
export function makeBfd({ bfd: timers, self }: Config, log: EventLog, counters: Counters): BfdSpeaker | undefined {
  return self.bfd && new BfdSpeaker({ ...timers, ...self.bfd }, log, counters);
}
