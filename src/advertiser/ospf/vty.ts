import { connect } from "node:net";

/** Each answer ends with three zero bytes and the result. */
const END_LENGTH = 4;
/** The router links of a very large area; whatever answers more is not asked for the rest. */
const MAXIMUM_ANSWER_BYTES = 16 << 20;

/**
 * Puts commands to an FRR daemon, at the socket that `vtysh` uses: `DIRECTORY/ospfd.vty`. That takes a fraction of a
 * millisecond; a `vtysh` would take a hundred. Rejects where nobody answers in time, or a command isn't known.
 */
export function askVty(path: string, commands: readonly string[], timeoutMs: number): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const answers: string[] = [];
    let received = Buffer.alloc(0);
    const deadline = setTimeout(() => fail(`does not answer within ${timeoutMs} ms`), timeoutMs);
    const end = () => {
      clearTimeout(deadline);
      socket.destroy();
    };
    const fail = (problem: string) => {
      end();
      reject(new Error(`${path} ${problem}`));
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
      received = Buffer.concat([received, chunk]);
      if (received.length > MAXIMUM_ANSWER_BYTES) {
        fail("answers more than can be looked through");
        return;
      }
      const end = received.length - END_LENGTH;
      if (end < 0 || received.readUIntBE(end, 3) !== 0) return;
      const text = received.toString("utf8", 0, end);
      const result = received[end + 3];
      received = Buffer.alloc(0);
      if (result === 0) {
        answers.push(text);
        ask();
      } else fail(`refused "${commands[answers.length]}": ${text.trim()}`);
    });
    socket.on("error", (error) => fail(`can't be reached: ${error.message}`));
    socket.on("close", () => fail("closed the connection"));
  });
}
