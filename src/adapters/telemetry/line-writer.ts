/** Writes lines to a descriptor whose other side may be slow, full, broken or gone: no caller ever waits, or fails, for it. */
import { write, writeSync } from "node:fs";
import { performance } from "node:perf_hooks";

export interface LineWriterOptions {
  readonly descriptor: number;
  /** Lines that find no room are lost. */
  readonly lost: () => void;
  /** What was lost lies between the last line and the next one; `lines` says how much. */
  readonly resumed: (lines: number) => void;
}

/** What waits, in UTF-16 units, which are bytes for most of a log. */
const QUEUE_LIMIT = 1 << 20;
/** Written in one go; a descriptor that is slow takes less. */
const CHUNK_LIMIT = 1 << 16;
/** A pipe without room is tried again after this long, a full disk after that long. */
const FULL_PIPE_RETRY_MS = 50;
const FAILURE_RETRY_MS = 1000;
/** A reader that takes nothing for so long is no longer merely slow. */
const STUCK_AFTER_MS = 1000;
/** A single write takes longer only where it hangs in the kernel. Well below what an end may take, which must know it by then. */
const HANGING_AFTER_MS = 500;

interface Chunk {
  readonly bytes: Buffer;
  written: number;
}

/**
 * One write at a time, on a thread of the pool: even a write to a dead file system holds up nothing but that thread. The
 * descriptor should be non-blocking where it can be (`standard-streams.ts`).
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
  /** When something was written last, or there was nothing to write. */
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
    // After a line that was lost all are, until what waits is written: one gap, and the log can say where it is.
    if (this.#lost > 0 || this.#waitingLength + line.length > QUEUE_LIMIT) {
      this.#lost += 1;
      this.#options.lost();
      return;
    }
    this.#waiting.push(line);
    this.#waitingLength += line.length;
    this.#pump();
  }

  /** Resolves when everything is written, or can't be, or the time is over. Last call. */
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

  /** What could not be written is tried again: disks get room again, and what can't be mended costs a try a second. */
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

  /** The process ends, perhaps by an error: what waits has its last chance. */
  readonly #leave = (): void => {
    // An exit waits for the threads of the pool: for one whose write hangs it would wait for good.
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
      // It can't be told any more.
    }
  };
}
