import { connect } from "node:net";

/** Each answer ends with three zero bytes and the result. */
const END_LENGTH = 4;
/** The size of the router links of a very large area; a longer answer is not read to its end. */
const MAXIMUM_ANSWER_BYTES = 16 << 20;

/**
 * Puts commands to an FRR daemon, at the socket that `vtysh` uses: `DIRECTORY/ospfd.vty`. That takes a fraction of a
 * millisecond; a `vtysh` would take a hundred. Rejects if there is no answer in time or a command isn't known; with a
 * system error as the cause if the daemon can't be reached.
 */
export function askVty(path: string, commands: readonly string[], timeoutMs: number): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const answers: string[] = [];
    let chunks: Buffer[] = [];
    let length = 0;
    /** The tail of what was received, as long as an end of an answer. */
    let tail = Buffer.alloc(0);
    const deadline = setTimeout(() => fail(`does not answer within ${timeoutMs} ms`), timeoutMs);
    const end = () => {
      clearTimeout(deadline);
      socket.destroy();
    };
    const fail = (problem: string, cause?: Error) => {
      end();
      reject(new Error(`${path} ${problem}`, { cause }));
    };
    const ask = () => {
      const next = commands[answers.length];
      if (next !== undefined) socket.write(`${next}\0`);
      else {
        end();
        resolve(answers);
      }
    };
    socket.on("connect", ask);
    socket.on("data", (chunk) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length > MAXIMUM_ANSWER_BYTES) {
        fail("answers more than can be looked through");
        return;
      }
      tail = Buffer.concat([tail, chunk.subarray(-END_LENGTH)]).subarray(-END_LENGTH);
      if (tail.length < END_LENGTH || tail.readUIntBE(0, 3) !== 0) return;
      const text = Buffer.concat(chunks).toString("utf8", 0, length - END_LENGTH);
      const result = tail[3];
      chunks = [];
      length = 0;
      tail = Buffer.alloc(0);
      if (result === 0) {
        answers.push(text);
        ask();
      } else fail(`refused "${commands[answers.length]}": ${text.trim()}`);
    });
    socket.on("error", (error) => fail(`can't be reached: ${error.message}`, error));
    socket.on("close", () => fail("closed the connection"));
  });
}
