import { closeSync, openSync, writeSync } from "node:fs";

/**
 * Appends objects to a file, one JSON text per line. All lines of one turn of the event loop are written with one system
 * call.
 */
export class JsonLinesFile {
  readonly #file: number;
  #lines: string[] = [];

  /** Throws a system error if the file can't be opened. */
  constructor(path: string) {
    this.#file = openSync(path, "a");
  }

  write(entry: object): void {
    if (this.#lines.length === 0) setImmediate(() => this.#flush());
    this.#lines.push(`${JSON.stringify(entry)}\n`);
  }

  close(): void {
    this.#flush();
    closeSync(this.#file);
  }

  #flush(): void {
    const lines = this.#lines;
    this.#lines = [];
    if (lines.length > 0) writeSync(this.#file, lines.join(""));
  }
}
