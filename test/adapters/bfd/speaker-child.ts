/**
 * A process that speaks BFD, and whose main loop can be made to stand still. `node speaker-child.ts LOCAL NEIGHBOR`, started by
 * fork; a number as message is how long, in ms, `stop` ends it in order. It sends the names of its events.
 */
import { BfdSpeaker } from "../../../src/adapters/bfd/speaker.ts";
import { Counters } from "../../../src/adapters/telemetry/counters.ts";
import { ipv4 } from "../../../src/core/wire/ipv4.ts";

const [local = "", neighbor = ""] = process.argv.slice(2);
const speaker = new BfdSpeaker(
  {
    localAddress: ipv4(local),
    neighbors: [ipv4(neighbor)],
    transmitIntervalMs: 50,
    receiveIntervalMs: 50,
    detectMultiplier: 20,
    heartbeatTimeoutMs: 400,
  },
  { event: (event) => void process.send?.(event) },
  new Counters(),
);
speaker.start();
process.on("message", (message: number | "stop") => {
  if (message === "stop") void speaker.stop().then(() => process.disconnect());
  else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, message);
});
