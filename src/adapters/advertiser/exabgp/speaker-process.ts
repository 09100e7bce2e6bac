import type { Readable } from "node:stream";
import { execa } from "execa";
import { LineSplitter } from "../../kernel/line-splitter.ts";

const LINE_LIMIT_BYTES = 4096;

/** A running ExaBGP: its output is read to the end, whatever there is of it. */
export class SpeakerProcess {
  /** `undefined` if the program could not be started; `exited` then says why. */
  readonly pid: number | undefined;
  /** How it ended, in words. Never rejects. */
  readonly exited: Promise<string>;
  readonly #kill: (signal: NodeJS.Signals) => void;
  #lastLine: string | undefined;

  /** @param onLine called with each line that it prints, up to 4 KiB long */
  constructor(command: readonly [string, ...string[]], env: Record<string, string>, onLine: (line: string) => void) {
    const [file, ...args] = command;
    const child = execa(file, args, {
      env,
      extendEnv: false,
      cwd: "/",
      stdin: "ignore",
      buffer: false,
      reject: false,
      // Its own session: an interrupt from the terminal is for the daemon, which withdraws before it stops ExaBGP.
      detached: true,
      cleanup: false,
    });
    this.pid = child.pid;
    this.#kill = (signal) => child.kill(signal);
    for (const output of [child.stdout, child.stderr]) this.#read(output, onLine);
    // This is not the end of its output, which a remaining helper still has open.
    const exit = new Promise<string>((resolve) => {
      child.nodeChildProcess.once("exit", (code, signal) =>
        resolve(signal ? `killed by ${signal}` : `exited with code ${code}`),
      );
    });
    const failure = child.then(({ originalMessage }) => originalMessage ?? "ended");
    this.exited = (this.pid === undefined ? failure : exit).then((how) =>
      this.#lastLine === undefined ? how : `${how}, after "${this.#lastLine}"`,
    );
  }

  kill(signal: NodeJS.Signals): void {
    this.#kill(signal);
  }

  #read(output: Readable, onLine: (line: string) => void): void {
    const lines = new LineSplitter(LINE_LIMIT_BYTES);
    output.on("data", (chunk: Buffer) => {
      for (const line of lines.push(chunk)) {
        if (line === undefined || line.trim() === "") continue;
        this.#lastLine = line.slice(0, 200);
        onLine(line);
      }
    });
    output.on("error", () => {});
  }
}
