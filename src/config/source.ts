/** A configuration file: its value, and where in the text each part of it stands. */
import { dirname, extname, resolve } from "node:path";
import { formatBytes } from "../text/units.ts";
import { decodeUtf8 } from "../text/utf8.ts";
import { readBeginning } from "./file-beginning.ts";
import { JsonText } from "./json-text.ts";
import type { Located, Path, Position } from "./place.ts";
import type { Problems } from "./problem.ts";
import { excessOf } from "./yaml-limits.ts";
import { YamlText } from "./yaml-text.ts";

/** Half a million security associations. */
const MAXIMUM_BYTES = 64 << 20;

/** `undefined` if the file can't be read, or is neither YAML nor JSON; the problems say why. */
export function readSource(file: string, problems: Problems): Source | undefined {
  const report = (message: string, position?: Position) =>
    problems.add({ severity: "error", file, ...position, path: "", message });
  try {
    const bytes = readBeginning(file, MAXIMUM_BYTES + 1);
    if (bytes.length > MAXIMUM_BYTES) {
      report(`the file is longer than ${formatBytes(MAXIMUM_BYTES)}`);
      return undefined;
    }
    const decoded = decodeUtf8(bytes);
    if (decoded.ok) return parseSource(file, decoded.text.replace(/^\ufeff/, ""), report);
    report(`the file ${decoded.problem}`, positionIn(bytes.toString("utf8", 0, decoded.offset)));
  } catch (error) {
    report(`cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  return undefined;
}

function parseSource(
  file: string,
  text: string,
  report: (message: string, position: Position) => void,
): Source | undefined {
  const json = extname(file) === ".json" ? parseJson(text) : undefined;
  if (json !== undefined) return new Source(file, json, () => new JsonText(text));
  const excess = excessOf(text);
  if (excess !== undefined) {
    report(excess.message, positionIn(text.slice(0, excess.offset)));
    return undefined;
  }
  const yaml = new YamlText(text);
  const result = yaml.toValue();
  if (result.ok) return new Source(file, result.value, () => yaml);
  for (const { position, message } of result.faults) report(message, position);
  return undefined;
}

/** A string, or white space between others. */
const STRING_OR_SPACE = /("[^"\\]*(?:\\.[^"\\]*)*")|\s+/gs;

/**
 * JSON.parse is a hundred times faster than the reader of YAML, and more lenient: of keys that are doubled it keeps the last
 * one. So it is believed only where it has lost nothing: what it made of the text is written as that text. All other
 * JSON is left to the reader of YAML, which is the only one to decide what may stand in a file.
 */
function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    const written = JSON.stringify(value);
    return written === text.replaceAll(STRING_OR_SPACE, "$1") && !HALF_PAIR.test(written) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** As JSON.stringify writes what is half a character only. */
const HALF_PAIR = /\\ud[89a-f]/;

/** Looked through again only where a place is asked for. */
interface Text {
  positionOf(path: Path, part: "key" | "value"): Position;
}

export class Source implements Located {
  readonly file: string;
  /** Plain objects, arrays and scalars. */
  readonly value: unknown;
  readonly #parse: () => Text;
  #text: Text | undefined;

  constructor(file: string, value: unknown, parse: () => Text) {
    this.file = file;
    this.value = value;
    this.#parse = parse;
  }

  locate(path: Path): Position {
    return this.#located.positionOf(path, "value");
  }

  locateKey(path: Path): Position {
    return this.#located.positionOf(path, "key");
  }

  /** Absolute form of a file path that the configuration names. */
  resolve(path: string): string {
    return resolve(dirname(this.file), path);
  }

  get #located(): Text {
    this.#text ??= this.#parse();
    return this.#text;
  }
}

/** Where a text goes on that begins so. */
function positionIn(before: string): Position {
  const lines = before.split("\n");
  return { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 };
}
