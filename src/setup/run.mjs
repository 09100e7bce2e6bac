import { spawn } from "node:child_process";
import { setImmediate as nextTurn } from "node:timers/promises";

/** Of output that goes on after its command. */
const LEFTOVER_ROUNDS = 100;

/**
 * Runs a command to its end, quietly.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, cwd?: string, shell?: boolean }} [options]
 * @returns {Promise<{ ok: boolean, output: string }>} `output` is stdout and stderr together; a command that does not exist is not ok.
 */
export function run(command, args, options = {}) {
  return new Promise((resolve) => {
    /** @type {Buffer[]} */
    const chunks = [];
    const child = spawn(command, [...args], { ...options, stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.on("data", (chunk) => chunks.push(chunk));
    child.stderr.on("data", (chunk) => chunks.push(chunk));
    child.on("error", (error) => resolve({ ok: false, output: error.message }));
    child.on("exit", async (code) => {
      // What it has printed is in the pipe. The end of that may never come: a service that it started can hold it open.
      for (let [before, rounds] = [-1, 0]; chunks.length > before && rounds < LEFTOVER_ROUNDS; rounds++) {
        before = chunks.length;
        await nextTurn();
        await nextTurn();
      }
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({ ok: code === 0, output: Buffer.concat(chunks).toString() });
    });
  });
}

/**
 * @param {string} text
 * @param {number} lines
 */
export function lastLines(text, lines) {
  return text.trimEnd().split("\n").slice(-lines).join("\n");
}
