/** What a file may ask of the reader of YAML, which takes about a kilobyte of memory for each token. */
import { Lexer } from "yaml";

const MAXIMUM_TOKENS = 600_000;
/** Each is looked up in all of the text. */
const MAXIMUM_ALIASES = 100;
const MAXIMUM_DEPTH = 100;

/** The lexer says so before a scalar, which may begin with anything. */
const SCALAR_FOLLOWS = "\u001f";
/** Its other marks, which aren't in the text. */
const OUTSIDE_THE_TEXT = new Set(["\u0002", "\u0018", SCALAR_FOLLOWS]);
const SPACE_OR_COMMENT = /^[ \t\r\n#]/;

/** Where a text exceeds the limits, and how; it is looked through without keeping anything of it. */
export function excessOf(text: string): { readonly offset: number; readonly message: string } | undefined {
  let [offset, tokens, aliases, depth] = [0, 0, 0, 0];
  let isScalar = false;
  for (const source of new Lexer().lex(text)) {
    const wasScalar = isScalar;
    isScalar = source === SCALAR_FOLLOWS;
    if (!wasScalar && OUTSIDE_THE_TEXT.has(source)) continue;
    if (wasScalar || !SPACE_OR_COMMENT.test(source)) tokens += 1;
    if (!wasScalar) {
      if (source === "[" || source === "{") depth += 1;
      else if (source === "]" || source === "}") depth -= 1;
      else if (source.startsWith("*")) aliases += 1;
    }
    if (tokens > MAXIMUM_TOKENS) {
      return {
        offset,
        message: `more than ${MAXIMUM_TOKENS} keys, values and marks of YAML: so much must be plain JSON`,
      };
    }
    if (aliases > MAXIMUM_ALIASES) return { offset, message: `more than ${MAXIMUM_ALIASES} aliases` };
    if (depth > MAXIMUM_DEPTH) return { offset, message: `more than ${MAXIMUM_DEPTH} brackets inside of each other` };
    offset += source.length;
  }
  return undefined;
}
