/**
 * The text of a configuration file. What YAML leaves to the reader is refused here: unknown tags, other versions,
 * numbers that others may read as other ones or as text. Nothing is only warned about, as a warning is easily missed and
 * what was read instead may be a key.
 */
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
  visit,
} from "yaml";
import { codePointName } from "../text/utf8.ts";
import type { Path, Position } from "./place.ts";

interface Place {
  readonly key: Node | null;
  readonly value: Node | null;
}

export interface TextFault {
  readonly position: Position;
  readonly message: string;
}

/** Decimal digits, as people read them: octal, hexadecimal, exponents, and 2.0 for 2 are not among them. */
const PLAIN_NUMBER = /^(?!-0$)-?(0|[1-9]\d*)(\.\d*[1-9]\d*)?$/;

/** So many of them are told; one slip can cause any number of others behind it. */
const MAXIMUM_FAULTS = 20;

/** YAML 1.2.2 5.1, "c-printable". */
const UNPRINTABLE = /[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;

export class YamlText {
  readonly #text: string;
  readonly #document: Document.Parsed;
  readonly #lines = new LineCounter();

  constructor(text: string) {
    this.#text = text;
    this.#document = parseDocument(text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      // The rest is what YAML 1.2 says of JSON's types: no other tags, no other versions' booleans, no keys that aren't
      // text.
      schema: "core",
      resolveKnownTags: false,
      stringKeys: true,
    });
  }

  toValue(): { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly faults: TextFault[] } {
    const faults = this.#faults();
    if (faults.length > 0) return { ok: false, faults: faults.slice(0, MAXIMUM_FAULTS) };
    try {
      return { ok: true, value: this.#document.toJS() };
    } catch (error) {
      // So many aliases that they would fill the memory.
      return { ok: false, faults: [this.#fault(0, `not YAML: ${(error as Error).message}`)] };
    }
  }

  positionOf(path: Path, part: keyof Place): Position {
    return this.#positionAt(this.#find(path)[part]?.range?.[0] ?? 0);
  }

  #faults(): TextFault[] {
    const { errors, warnings, directives } = this.#document;
    const unprintable = UNPRINTABLE.exec(this.#text);
    if (unprintable !== null) {
      const name = codePointName(unprintable[0]);
      return [this.#fault(unprintable.index, `not YAML: the character ${name}, which no text has`)];
    }
    const faults = [
      ...errors.map(({ pos: [offset], message }) => this.#fault(offset, `not YAML: ${message}`)),
      ...warnings.map(({ pos: [offset], message }) => this.#fault(offset, `not understood: ${message}`)),
    ];
    const { explicit, version } = directives.yaml;
    if (explicit === true && version !== "1.2") {
      faults.push(
        this.#fault(this.#text.indexOf("%YAML"), `not understood: YAML ${version}; this is read as YAML 1.2`),
      );
    }
    visit(this.#document, {
      Alias: (_key, alias, ancestors) => {
        const message = this.#faultOfAlias(alias, ancestors);
        if (message !== undefined) faults.push(this.#fault(alias.range?.[0] ?? 0, `not YAML: ${message}`));
      },
      Scalar: (_key, scalar) => {
        const message = faultOfScalar(scalar);
        if (message !== undefined) faults.push(this.#fault(scalar.range?.[0] ?? 0, message));
      },
    });
    return faults;
  }

  #faultOfAlias(alias: Alias, ancestors: readonly unknown[]): string | undefined {
    const anchored = alias.resolve(this.#document);
    if (anchored === undefined) return `Unresolved alias ${alias.source}: the anchor must be set before the alias`;
    return ancestors.includes(anchored) ? `the alias ${alias.source} stands inside of what it stands for` : undefined;
  }

  #fault(offset: number, message: string): TextFault {
    return { position: this.#positionAt(offset), message };
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

/** Without the value, which may be a key. */
function faultOfScalar({ value, source = "" }: Scalar): string | undefined {
  if (typeof value === "number" && !PLAIN_NUMBER.test(source)) {
    return "expected a number in decimal digits such as 2 or 1.25, without leading zeros, exponent or .0; text that looks like a number needs quotes";
  }
  if (typeof value === "string" && !value.isWellFormed()) return "not YAML: half a surrogate pair, which no text has";
  return undefined;
}
