/** What commands print on stdout: a table for people, JSON or YAML for scripts. Messages go to stderr. */
import Table from "cli-table3";
import { Option } from "commander";

export type OutputFormat = "table" | "json" | "yaml";

/** `-o, --output table|json|yaml`; the command finds it as `output` among its options. */
export function outputOption(): Option {
  return new Option("-o, --output <format>", "how to print the result")
    .choices(["table", "json", "yaml"])
    .default("table" satisfies OutputFormat);
}

/** Prints `value` as JSON or YAML, or what `toText` makes of it. */
export async function print<T>(value: T, format: OutputFormat, toText: (value: T) => string): Promise<void> {
  await write(format === "table" ? toText(value) : await serialize(value, format));
}

async function serialize(value: unknown, format: "json" | "yaml"): Promise<string> {
  if (format === "json") return JSON.stringify(value, null, 2);
  const { stringify } = await import("yaml");
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false }).trimEnd();
}

/** Writes text and a line end to stdout; resolves when the reader has room for more. */
export async function write(text: string): Promise<void> {
  if (text === "") return;
  await new Promise<void>((resolve) => process.stdout.write(`${text}\n`, () => resolve()));
}

/** Columns under upper-case headings, without lines; `widths` holds the columns' least widths. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  widths: readonly number[] = [],
): string {
  const text = new Table({
    chars: {
      top: "",
      "top-mid": "",
      "top-left": "",
      "top-right": "",
      bottom: "",
      "bottom-mid": "",
      "bottom-left": "",
      "bottom-right": "",
      left: "",
      "left-mid": "",
      mid: "",
      "mid-mid": "",
      right: "",
      "right-mid": "",
      middle: "  ",
    },
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
    colWidths: widths.length > 0 ? [...widths] : [],
  });
  if (head.length > 0) text.push(head.map((heading) => heading.toUpperCase()));
  text.push(...rows.map((row) => [...row]));
  return trimLines(text.toString());
}

/** `Name: value` lines, values aligned; entries with nothing to say are left out. */
export function fields(entries: readonly (readonly [name: string, value: string | undefined])[]): string {
  const present = entries.flatMap(([name, value]) => (value === undefined ? [] : [[`${name}:`, value]]));
  return table([], present);
}

function trimLines(text: string): string {
  return text
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}
