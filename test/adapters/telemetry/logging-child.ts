/** Logs so many bytes to descriptor 3, then ends: in order, or by an error that nothing catches, after a while or at once. */
import { LineWriter } from "../../../src/adapters/telemetry/line-writer.ts";

const writer = new LineWriter({ descriptor: 3, lost: () => undefined, resumed: () => undefined });
writer.write(`${"x".repeat(Number(process.argv[3]))}\n`);
writer.write("the last line\n");
if (process.argv[2] !== "crash at once") await writer.end(700);
if (process.argv[2] !== "stop") throw new Error("nothing catches this");
process.exit(0);
