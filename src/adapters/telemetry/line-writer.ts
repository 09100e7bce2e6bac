/**
 * Writes lines to a descriptor whose other side may be slow, full, broken or gone: no caller ever waits for it or fails
 * because of it.
 */
import { write, writeSync } from "node:fs";
import { performance } from "node:perf_hooks";

export interface LineWriterOptions {
  readonly descriptor: number;
  /** The room for waiting lines; lines that find none are lost. */
  readonly lost: () => void;
  /** Called with the number of lines that were lost between the last line and the next one. */
  readonly resumed: (lines: number) => void;
}

/** The size of what waits, in UTF-16 units, which are bytes for most of a log. */
const QUEUE_LIMIT = 1 << 20;
/** How much is written in one go; a slow descriptor accepts less. */
const CHUNK_LIMIT = 1 << 16;
/** How long until a pipe without room is tried again, and a full disk. */
const FULL_PIPE_RETRY_MS = 50;
const FAILURE_RETRY_MS = 1000;
/** A reader that accepts nothing for this long is no longer merely slow. */
const STUCK_AFTER_MS = 1000;
/**
 * A single write takes longer than this only if it hangs in the kernel. This is well below the time that ending the writer
 * may take, as ending it depends on knowing that.
 */
const HANGING_AFTER_MS = 500;

interface Chunk {
  readonly bytes: Buffer;
  written: number;
}

/**
 * There is one write at a time, on a thread of the pool: even a write to a dead file system blocks nothing but that thread.
 * The descriptor should be non-blocking where it can be (`standard-streams.ts`).
 */
export class LineWriter {
  readonly #options: LineWriterOptions;
  readonly #waiting: string[] = [];
  #waitingLength = 0;
  #chunk: Chunk | undefined;
  #isWriting = false;
  #writingSinceMs = 0;
  #retry: NodeJS.Timeout | undefined;
  #error: string | undefined;
  /** When something was last written, or when there was last nothing to write. */
  #progressAtMs = 0;
  /** Since the last line that found room. */
  #lost = 0;
  #ended: (() => void) | undefined;

  constructor(options: LineWriterOptions) {
    this.#options = options;
    process.once("exit", this.#leave);
  }

  /** Why nothing is written now; `undefined` while lines go out. */
  get failure(): string | undefined {
    if (this.#error !== undefined) return this.#error;
    if (this.#chunk === undefined || performance.now() - this.#progressAtMs < STUCK_AFTER_MS) return undefined;
    return "nobody reads it, or its disk hangs";
  }

  write(line: string): void {
    // After one lost line all lines are lost until what waits has been written: that makes a single gap whose place the log
    // can report.
    if (this.#lost > 0 || this.#waitingLength + line.length > QUEUE_LIMIT) {
      this.#lost += 1;
      this.#options.lost();
      return;
    }
    this.#waiting.push(line);
    this.#waitingLength += line.length;
    this.#pump();
  }

  /** Resolves when everything has been written, can't be, or the time is over. No other call may follow. */
  async end(deadlineMs: number): Promise<void> {
    const ended = new Promise<void>((resolve) => {
      this.#ended = resolve;
    });
    const deadline = setTimeout(() => this.#ended?.(), deadlineMs);
    if (!this.#isWriting) {
      clearTimeout(this.#retry);
      this.#retry = undefined;
      this.#pump();
    }
    await ended;
    clearTimeout(deadline);
    clearTimeout(this.#retry);
  }

  #pump(): void {
    if (this.#isWriting || this.#retry !== undefined) return;
    this.#chunk ??= this.#nextChunk();
    const chunk = this.#chunk;
    if (chunk === undefined) {
      this.#ended?.();
      return;
    }
    this.#isWriting = true;
    this.#writingSinceMs = performance.now();
    write(this.#options.descriptor, chunk.bytes, chunk.written, null, null, (error, written) => {
      this.#isWriting = false;
      if (error === null) this.#wrote(chunk, written);
      else this.#failed(error);
    });
  }

  #nextChunk(): Chunk | undefined {
    let length = 0;
    let lines = 0;
    for (const line of this.#waiting) {
      if (lines > 0 && length + line.length > CHUNK_LIMIT) break;
      length += line.length;
      lines += 1;
    }
    if (lines === 0) return undefined;
    this.#waitingLength -= length;
    this.#progressAtMs = performance.now();
    return { bytes: Buffer.from(this.#waiting.splice(0, lines).join("")), written: 0 };
  }

  #wrote(chunk: Chunk, written: number): void {
    this.#error = undefined;
    this.#progressAtMs = performance.now();
    chunk.written += written;
    if (chunk.written === chunk.bytes.length) this.#chunk = undefined;
    if (this.#chunk === undefined && this.#waiting.length === 0 && this.#lost > 0) {
      const lost = this.#lost;
      this.#lost = 0;
      this.#options.resumed(lost);
    }
    this.#pump();
  }

  /**
   * What could not be written is tried again: disks get room again, and where they don't, the cost is one attempt per
   * second.
   */
  #failed({ code, message }: NodeJS.ErrnoException): void {
    const isFull = code === "EAGAIN";
    if (!isFull) {
      this.#error = message;
      this.#ended?.();
    }
    this.#retry = setTimeout(
      () => {
        this.#retry = undefined;
        this.#pump();
      },
      isFull ? FULL_PIPE_RETRY_MS : FAILURE_RETRY_MS,
    ).unref();
  }

  /** The process is ending, perhaps because of an error: this is the last chance for what waits. */
  readonly #leave = (): void => {
    // An exit waits for the threads of the pool, and would wait for ever for one whose write hangs.
    const isHanging = this.#isWriting && performance.now() - this.#writingSinceMs >= HANGING_AFTER_MS;
    if (isHanging) process.kill(process.pid, "SIGKILL");
    if (this.failure !== undefined) return;
    const rest = this.#isWriting ? undefined : this.#chunk?.bytes.subarray(this.#chunk.written);
    try {
      writeSync(
        this.#options.descriptor,
        Buffer.concat([rest ?? Buffer.alloc(0), Buffer.from(this.#waiting.join(""))]),
      );
    } catch {
      // There is no way left to report it.
    }
  };
}
