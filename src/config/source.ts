/** A configuration file as text: its value, and where in the text each part of it stands. */
import { readFileSync } from "node:fs";
import { dirname, extname, resolve } from "node:path";
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import type { ConfigProblem, Problems } from "./problem.ts";

export type Path = readonly (string | number)[];

export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface Source {
  readonly file: string;
  /** Plain objects, arrays and scalars. */
  readonly value: unknown;
  /** Where the value at the path stands; if there is none, where it is missing. */
  locate(path: Path): Position;
  /** Where the last key of the path stands. */
  locateKey(path: Path): Position;
  /** Absolute form of a file path that the configuration names. */
  resolve(path: string): string;
}

/** `undefined` if the file can't be read, or is neither YAML nor JSON; the problems say why. */
export function readSource(file: string, problems: Problems): Source | undefined {
  try {
    return parseSource(file, readFileSync(file, "utf8"), problems);
  } catch (error) {
    problems.add({ severity: "error", file, path: "", message: `cannot be read: ${describe(error)}` });
    return undefined;
  }
}

function parseSource(file: string, text: string, problems: Problems): Source | undefined {
  // JSON.parse is a hundred times faster than a YAML parser, which is needed then only to find the place of an error.
  const value = extname(file) === ".json" ? parseJson(text) : undefined;
  if (value !== undefined) return new TextSource(file, text, value);
  const source = new TextSource(file, text);
  const faults = source.syntaxErrors();
  for (const fault of faults) problems.add(fault);
  return faults.length === 0 ? source : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

class TextSource implements Source {
  readonly file: string;
  readonly #text: string;
  readonly #lines = new LineCounter();
  #parsed: Document.Parsed | undefined;
  #value: unknown;

  /** Without a value, the text is taken for YAML. */
  constructor(file: string, text: string, value?: unknown) {
    this.file = file;
    this.#text = text;
    this.#value = value;
  }

  get value(): unknown {
    return this.#value;
  }

  get #document(): Document.Parsed {
    this.#parsed ??= parseDocument(this.#text, { lineCounter: this.#lines, prettyErrors: false });
    return this.#parsed;
  }

  /** What keeps the text from having a value. */
  syntaxErrors(): ConfigProblem[] {
    const faults = this.#document.errors.map(({ pos: [offset], message }) => ({ offset, message }));
    if (faults.length === 0) {
      try {
        this.#value = this.#document.toJS();
      } catch (error) {
        // An alias without its anchor, or so many that they would fill the memory.
        faults.push({ offset: 0, message: describe(error) });
      }
    }
    return faults.map(({ offset, message }) => ({
      severity: "error",
      file: this.file,
      ...this.#at(offset),
      path: "",
      message: `not YAML: ${message}`,
    }));
  }

  locate(path: Path): Position {
    return this.#position(this.#find(path).value);
  }

  locateKey(path: Path): Position {
    return this.#position(this.#find(path).key);
  }

  resolve(path: string): string {
    return resolve(dirname(this.file), path);
  }

  /** The nodes of the last key and its value; where the path ends too early, those of the last one found. */
  #find(path: Path): { readonly key: Node | null; readonly value: Node | null } {
    let found: { key: Node | null; value: Node | null } = { key: null, value: this.#document.contents };
    for (const step of path) {
      const parent = isAlias(found.value) ? found.value.resolve(this.#document) : found.value;
      if (isSeq<Node>(parent)) {
        const item = parent.items[Number(step)];
        if (!item) break;
        found = { key: item, value: item };
      } else if (isMap<Node, Node | null>(parent)) {
        const pair = parent.items.find(({ key }) => isScalar(key) && String(key.value) === step);
        if (!pair) break;
        found = { key: pair.key, value: pair.value ?? pair.key };
      } else break;
    }
    return found;
  }

  #position(node: Node | null): Position {
    return this.#at(node?.range?.[0] ?? 0);
  }

  #at(offset: number): Position {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
