/** Cuts a byte stream into lines of a bounded length. */
export class LineSplitter {
  readonly #limitBytes: number;
  #pieces: Buffer[] = [];
  #bytes = 0;
  #overlong = false;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** The lines that end in this chunk, without their line feeds; `undefined` in place of one that is too long. */
  push(chunk: Buffer): (string | undefined)[] {
    const lines: (string | undefined)[] = [];
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      this.#keep(chunk.subarray(start, end));
      lines.push(this.#overlong ? undefined : Buffer.concat(this.#pieces).toString());
      this.#pieces = [];
      this.#bytes = 0;
      this.#overlong = false;
      start = end + 1;
    }
    this.#keep(chunk.subarray(start));
    return lines;
  }

  #keep(piece: Buffer): void {
    this.#bytes += piece.length;
    this.#overlong ||= this.#bytes > this.#limitBytes;
    if (this.#overlong) this.#pieces = [];
    else if (piece.length > 0) this.#pieces.push(piece);
  }
}
