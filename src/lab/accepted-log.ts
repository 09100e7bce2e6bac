import { closeSync, openSync, readSync } from "node:fs";
import { z } from "zod";
import { type AcceptedRegistration, mobileOf } from "./chaos-check.ts";

const acceptedLine = z.object({
  time: z.iso.datetime(),
  homeAddress: z.ipv4(),
  nai: z.string().nullable(),
  identification: z.string().regex(/^0x[0-9a-f]{16}$/),
  lifetime: z.int().nonnegative(),
});

const CHUNK_BYTES = 1 << 20;

/** Reads logs of `anyhome mn load --log` that may still grow, and keeps the last registration of each mobile. */
export class AcceptedLog {
  readonly last = new Map<string, AcceptedRegistration>();
  /** Registrations in all. */
  count = 0;
  readonly #files: { readonly path: string; offset: number }[];

  constructor(paths: readonly string[]) {
    this.#files = paths.map((path) => ({ path, offset: 0 }));
  }

  /**
   * Takes in what was written since the last time.
   *
   * @throws a system error where a file can't be read; an Error for a line that is none of such a log
   */
  read(): void {
    for (const file of this.#files) file.offset += this.#readFrom(file.path, file.offset);
  }

  /** Answers how many bytes were taken in: whole lines only. */
  #readFrom(path: string, offset: number): number {
    const file = openSync(path, "r");
    try {
      let taken = 0;
      let rest = Buffer.alloc(0);
      const chunk = Buffer.alloc(CHUNK_BYTES);
      for (;;) {
        const length = readSync(file, chunk, 0, CHUNK_BYTES, offset + taken + rest.length);
        if (length === 0) return taken;
        const text = Buffer.concat([rest, chunk.subarray(0, length)]);
        const end = text.lastIndexOf("\n") + 1;
        for (const line of text.toString("utf8", 0, end).split("\n")) if (line !== "") this.#take(line, path);
        taken += end;
        rest = text.subarray(end);
      }
    } finally {
      closeSync(file);
    }
  }

  #take(line: string, path: string): void {
    const registration = parseLine(line);
    if (registration === undefined) throw new Error(`${path}: no accepted registration: ${line.slice(0, 200)}`);
    this.count += 1;
    const mobile = mobileOf(registration);
    const before = this.last.get(mobile);
    if (before === undefined || before.identification < registration.identification)
      this.last.set(mobile, registration);
  }
}

function parseLine(line: string): AcceptedRegistration | undefined {
  try {
    return acceptedLine.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
