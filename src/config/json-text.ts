/** Where the parts of a JSON text stand that JSON.parse has read: the places of problems in files too large for a reader of YAML. */
import { LineCounter } from "yaml";
import type { Path, Position } from "./place.ts";

interface Value {
  readonly offset: number;
  /** Of an object by their keys, of an array in their order. */
  readonly children: Map<string | number, { readonly keyOffset: number; readonly value: Value }> | undefined;
}

/** A string, a number or word, or a mark. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[^\s{}[\],:"]+|[{}[\],:]/gy;
const SPACE = /\s*/gy;

export class JsonText {
  readonly #text: string;
  readonly #lines = new LineCounter();
  readonly #root: Value;
  #offset = 0;

  constructor(text: string) {
    this.#text = text;
    this.#lines.addNewLine(0);
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", end + 1)) this.#lines.addNewLine(end + 1);
    this.#root = this.#value(this.#next());
  }

  /** Of the last key and its value; where the path ends too early, of the last one found. */
  positionOf(path: Path, part: "key" | "value"): Position {
    let found = { keyOffset: 0, value: this.#root };
    for (const step of path) {
      const next = found.value.children?.get(step);
      if (next === undefined) break;
      found = next;
    }
    const { line, col } = this.#lines.linePos(part === "key" ? found.keyOffset : found.value.offset);
    return { line, column: col };
  }

  #value({ offset, text }: { readonly offset: number; readonly text: string }): Value {
    if (text !== "{" && text !== "[") return { offset, children: undefined };
    const children: Value["children"] = new Map();
    for (let first = this.#next(); first.text !== "}" && first.text !== "]"; ) {
      let key: string | number = children.size;
      let token = first;
      if (text === "{") {
        key = JSON.parse(first.text) as string;
        this.#next();
        token = this.#next();
      }
      children.set(key, { keyOffset: first.offset, value: this.#value(token) });
      first = this.#next();
      if (first.text === ",") first = this.#next();
    }
    return { offset, children };
  }

  #next(): { readonly offset: number; readonly text: string } {
    SPACE.lastIndex = this.#offset;
    SPACE.exec(this.#text);
    const offset = SPACE.lastIndex;
    TOKEN.lastIndex = offset;
    const [text = "]"] = TOKEN.exec(this.#text) ?? [];
    this.#offset = offset + text.length;
    return { offset, text };
  }
}
