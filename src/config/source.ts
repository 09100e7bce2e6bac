/** A configuration file: its value, and where in the text each part of it stands. */
import { readFileSync } from "node:fs";
import { dirname, extname, resolve } from "node:path";
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import type { Located, Path, Position } from "./place.ts";
import type { Problems } from "./problem.ts";

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
  // JSON.parse is a hundred times faster than a YAML parser, which is needed then only to find the place of a problem.
  const json = extname(file) === ".json" ? parseJson(text) : undefined;
  if (json !== undefined) return new Source(file, json, () => new YamlText(text));
  const yaml = new YamlText(text);
  const result = yaml.toValue();
  if (result.ok) return new Source(file, result.value, () => yaml);
  for (const { position, message } of result.faults) {
    problems.add({ severity: "error", file, ...position, path: "", message: `not YAML: ${message}` });
  }
  return undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export class Source implements Located {
  readonly file: string;
  /** Plain objects, arrays and scalars. */
  readonly value: unknown;
  readonly #parse: () => YamlText;
  #text: YamlText | undefined;

  constructor(file: string, value: unknown, parse: () => YamlText) {
    this.file = file;
    this.value = value;
    this.#parse = parse;
  }

  locate(path: Path): Position {
    return this.#yaml.positionOf(path, "value");
  }

  locateKey(path: Path): Position {
    return this.#yaml.positionOf(path, "key");
  }

  /** Absolute form of a file path that the configuration names. */
  resolve(path: string): string {
    return resolve(dirname(this.file), path);
  }

  get #yaml(): YamlText {
    this.#text ??= this.#parse();
    return this.#text;
  }
}

interface Place {
  readonly key: Node | null;
  readonly value: Node | null;
}

interface SyntaxFault {
  readonly position: Position;
  readonly message: string;
}

class YamlText {
  readonly #document: Document.Parsed;
  readonly #lines = new LineCounter();

  constructor(text: string) {
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false });
  }

  toValue(): { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly faults: SyntaxFault[] } {
    const faults = this.#document.errors.map(({ pos: [offset], message }) => ({
      position: this.#positionAt(offset),
      message,
    }));
    if (faults.length > 0) return { ok: false, faults };
    try {
      return { ok: true, value: this.#document.toJS() };
    } catch (error) {
      // An alias without its anchor, or so many that they would fill the memory.
      return { ok: false, faults: [{ position: this.#positionAt(0), message: describe(error) }] };
    }
  }

  positionOf(path: Path, part: keyof Place): Position {
    return this.#positionAt(this.#find(path)[part]?.range?.[0] ?? 0);
  }

  /** The nodes of the last key and its value; where the path ends too early, those of the last one found. */
  #find(path: Path): Place {
    let found: Place = { key: null, value: this.#document.contents };
    for (const step of path) {
      const next = this.#child(found.value, step);
      if (!next) break;
      found = next;
    }
    return found;
  }

  #child(node: Node | null, step: string | number): Place | undefined {
    const parent = isAlias(node) ? node.resolve(this.#document) : node;
    if (isSeq<Node>(parent)) {
      const item = parent.items[Number(step)];
      return item && { key: item, value: item };
    }
    if (!isMap<Node, Node | null>(parent)) return undefined;
    const pair = parent.items.find(({ key }) => isScalar(key) && String(key.value) === step);
    return pair && { key: pair.key, value: pair.value ?? pair.key };
  }

  #positionAt(offset: number): Position {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
