import { closeSync, openSync, readSync } from "node:fs";
import { z } from "zod";
import { type AcceptedRegistration, mobileOf } from "./chaos-check.ts";

const common = {
  time: z.iso.datetime(),
  homeAddress: z.ipv4(),
  nai: z.string().nullable(),
  latencyMs: z.number().nonnegative(),
  tries: z.int().positive(),
};
const acceptedLine = z.object({
  ...common,
  identification: z.string().regex(/^0x[0-9a-f]{16}$/),
  lifetime: z.int().nonnegative(),
});
const unansweredLine = z.object({ ...common, identification: z.null(), lifetime: z.null() });
const line = z.union([acceptedLine, unansweredLine]);

/** A registration that was accepted, or given up because it was not answered. */
export type LoggedRegistration = AcceptedRegistration | z.infer<typeof unansweredLine>;

const CHUNK_BYTES = 1 << 20;

/** Reads logs of `anyhome mn load --log` that may still grow, and keeps the last registration of each mobile. */
export class AcceptedLog {
  readonly last = new Map<string, AcceptedRegistration>();
  /** Accepted registrations in all. */
  count = 0;
  readonly #files: { readonly path: string; offset: number }[];
  readonly #taken: (registration: LoggedRegistration) => void;

  /** @param taken is told of each */
  constructor(paths: readonly string[], taken: (registration: LoggedRegistration) => void = () => {}) {
    this.#taken = taken;
    this.#files = paths.map((path) => ({ path, offset: 0 }));
  }

  /**
   * Takes in what was written since the last time.
   *
   * @throws a system error where a file can't be read; an Error for a line that is none of such a log
   */
  read(): this {
    for (const file of this.#files) file.offset += this.#readFrom(file.path, file.offset);
    return this;
  }

  /** Returns how many bytes were consumed, which are whole lines only. */
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
        for (const it of text.toString("utf8", 0, end).split("\n")) if (it !== "") this.#take(it, path);
        taken += end;
        rest = text.subarray(end);
      }
    } finally {
      closeSync(file);
    }
  }

  #take(line: string, path: string): void {
    const registration = parseLine(line);
    if (registration === undefined) throw new Error(`${path}: no line of such a log: ${line.slice(0, 200)}`);
    this.#taken(registration);
    if (registration.identification === null) return;
    this.count += 1;
    const mobile = mobileOf(registration);
    const before = this.last.get(mobile);
    if (before === undefined || before.identification < registration.identification)
      this.last.set(mobile, registration);
  }
}

function parseLine(text: string): LoggedRegistration | undefined {
  try {
    return line.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
