/** A configuration file as text: its value, and where in the text each part of it stands. */
import { readFileSync } from "node:fs";
import { dirname, extname, resolve } from "node:path";
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import { ConfigError, type ConfigProblem } from "./problem.ts";

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

/** Throws a ConfigError if the file can't be read, or is neither YAML nor JSON. */
export function readSource(file: string): Source {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new ConfigError([{ severity: "error", file, path: "", message: `cannot be read: ${describe(error)}` }]);
  }
  return parseSource(file, text);
}

export function parseSource(file: string, text: string): Source {
  // JSON.parse is a hundred times faster than a YAML parser, which is needed then only to find the place of an error.
  if (extname(file) === ".json") {
    const value = parseJson(text);
    if (value !== undefined) {
      let yaml: YamlSource | undefined;
      const lazily = () => {
        yaml ??= new YamlSource(file, text);
        return yaml;
      };
      return {
        file,
        value,
        locate: (path) => lazily().locate(path),
        locateKey: (path) => lazily().locateKey(path),
        resolve: (path) => resolve(dirname(file), path),
      };
    }
  }
  return new YamlSource(file, text);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

class YamlSource implements Source {
  readonly file: string;
  readonly value: unknown;
  readonly #lines = new LineCounter();
  readonly #document: Document.Parsed;

  constructor(file: string, text: string) {
    this.file = file;
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false });
    this.#reject(this.#document.errors.map((error) => ({ offset: error.pos[0], message: error.message })));
    try {
      this.value = this.#document.toJS();
    } catch (error) {
      // Too many aliases, or one without its anchor.
      this.#reject([{ offset: 0, message: describe(error) }]);
    }
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

  #reject(faults: readonly { readonly offset: number; readonly message: string }[]): void {
    if (faults.length === 0) return;
    const problems = faults.map(
      ({ offset, message }): ConfigProblem => ({
        severity: "error",
        file: this.file,
        ...this.#at(offset),
        path: "",
        message: `not YAML: ${message}`,
      }),
    );
    throw new ConfigError(problems);
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
