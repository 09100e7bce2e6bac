/** Says in an operator's words what a zod schema found wrong. */
import type { z } from "zod";
import type { Path } from "./place.ts";
import type { Problems } from "./problem.ts";
import { partOf, rowsOf } from "./shapes.ts";
import type { Source } from "./source.ts";

type Issue = z.core.$ZodIssue;

/** Keys whose values must not appear in messages. */
const SECRET_KEYS: ReadonlySet<unknown> = new Set(["key", "key-hex"]);

/** Reports the issues that `schema` found in the part of a source that `base` leads to. */
export function reportIssues(
  problems: Problems,
  source: Source,
  base: Path,
  issues: readonly Issue[],
  schema: z.ZodType,
): void {
  for (const issue of issues) {
    const inner = issue.path.map((step) => (typeof step === "number" ? step : String(step)));
    const path = [...base, ...inner];
    if (issue.code === "unrecognized_keys") {
      const known = keysAt(schema, inner, valueAt(source.value, base));
      for (const key of issue.keys) problems.keyError(source, [...path, key], `unknown key${suggestion(key, known)}`);
    } else {
      problems.error(source, path, describeIssue(issue, valueAt(source.value, path), path));
    }
  }
}

function describeIssue(issue: Issue, found: unknown, path: Path): string {
  const options = optionsOf(issue);
  const expected = options ? `one of ${options.join(", ")}` : issue.message;
  if (found === undefined) return `is missing; expected ${expected}`;
  const shown = SECRET_KEYS.has(path.at(-1)) ? `${typeof found} (not shown)` : show(found);
  const hint = typeof found === "string" && options ? suggestion(found, options) : "";
  return `expected ${expected}, found ${shown}${hint}`;
}

function optionsOf(issue: Issue): readonly string[] | undefined {
  if (issue.code === "invalid_value") return issue.values.map(String);
  if (issue.code === "invalid_union" && issue.inclusive !== false) return issue.options?.map(String);
  return undefined;
}

const SHOWN_LENGTH = 60;

function show(value: unknown): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object") return "a section";
  const text = JSON.stringify(value);
  return text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}…` : text;
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((parent, step) => {
    if (typeof parent !== "object" || parent === null || !Object.hasOwn(parent, step)) return undefined;
    return (parent as Record<string | number, unknown>)[step];
  }, value);
}

/** The keys that may stand in the section that the path leads to. */
function keysAt(schema: z.core.$ZodType, [step, ...rest]: Path, value: unknown): readonly string[] {
  if (step === undefined) return Object.keys(rowsOf(schema, value));
  const part = partOf(schema, step, value);
  return part === undefined ? [] : keysAt(part, rest, valueAt(value, [step]));
}

/** `; did you mean "x"?` where a candidate is within a typing slip or two. */
function suggestion(word: string, candidates: readonly string[]): string {
  const ranked = candidates
    .map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate) }))
    .toSorted((a, b) => a.distance - b.distance);
  const [best] = ranked;
  return best && best.distance <= Math.max(1, Math.floor(best.candidate.length / 3))
    ? `; did you mean "${best.candidate}"?`
    : "";
}

/** Levenshtein distance. Words longer than any key of ours are as far as their length. */
function editDistance(a: string, b: string): number {
  if (a.length > SHOWN_LENGTH) return a.length;
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...a].entries()) {
    const current = [i + 1];
    for (const [j, other] of [...b].entries()) {
      const [left = 0, above = 0, diagonal = 0] = [current[j], previous[j + 1], previous[j]];
      current.push(Math.min(left + 1, above + 1, diagonal + (letter === other ? 0 : 1)));
    }
    previous = current;
  }
  return previous.at(-1) ?? 0;
}
