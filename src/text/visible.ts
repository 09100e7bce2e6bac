/**
 * Text from elsewhere (names, reasons, what routers and programs print) shown for what it is. Control characters would command
 * the terminal, and marks of direction would show text in another order than it has.
 */

const NOT_SHOWN = /[\p{Cc}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
const NOT_SHOWN_BUT_LINES = /(?!\n)[\p{Cc}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
/** JSON escapes the others by itself. */
const RAW_IN_JSON = /[\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
/** YAML writes strings with these in double quotes, and escapes the others by itself. */
const RAW_IN_YAML = /[\u007f-\u009f]/g;

/** One line: what doesn't show is replaced by its code. */
export function visibleLine(text: string): string {
  return text.replace(NOT_SHOWN, code);
}

/** As `visibleLine`, with the line breaks as they are. */
export function visibleLines(text: string): string {
  return text.replace(NOT_SHOWN_BUT_LINES, code);
}

/** JSON that is the same to every reader, and commands no terminal. */
export function visibleJson(json: string): string {
  return json.replace(RAW_IN_JSON, escaped);
}

/** As `visibleJson`, of what the `yaml` library writes. */
export function visibleYaml(yaml: string): string {
  return yaml.replace(RAW_IN_YAML, escaped);
}

function code(character: string): string {
  return `<${escaped(character).slice(1)}>`;
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
