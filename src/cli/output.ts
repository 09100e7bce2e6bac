/** What commands print on stdout: a table for people, JSON or YAML for scripts. Messages go to stderr. */
import { Option } from "commander";

export type OutputFormat = "table" | "json" | "yaml";

/** `-o, --output table|json|yaml`; the command finds it as `output` among its options. */
export function outputOption(usual: OutputFormat = "table"): Option {
  return new Option("-o, --output <format>", "how to print the result")
    .choices(["table", "json", "yaml"])
    .default(usual);
}

/** Prints `value` as JSON or YAML, or what `toText` makes of it. */
export async function print<T>(value: T, format: OutputFormat, toText: (value: T) => string): Promise<void> {
  await write(format === "table" ? toText(value) : await serialize(value, format));
}

/** Prints a list that comes in pages, each as soon as it is there; JSON and YAML look as if it had come in one piece. */
export async function printList<T>(
  pages: AsyncIterable<readonly T[]>,
  format: OutputFormat,
  toText: (page: readonly T[]) => string,
): Promise<void> {
  let printed = 0;
  for await (const page of pages) {
    if (format === "table") await write(toText(page));
    else if (format === "yaml") await write(page.length === 0 ? "" : await serialize(page, format));
    else await writeJsonItems(page, printed === 0);
    printed += page.length;
  }
  if (format === "json") await write(printed === 0 ? "[]" : "\n]");
  if (format === "yaml" && printed === 0) await write("[]");
}

async function writeJsonItems(items: readonly unknown[], first: boolean): Promise<void> {
  const texts = items.map((item) => JSON.stringify(item, null, 2).replaceAll(/^/gm, "  "));
  if (texts.length > 0) await writeText(`${first ? "[\n" : ",\n"}${texts.join(",\n")}`);
}

async function serialize(value: unknown, format: "json" | "yaml"): Promise<string> {
  if (format === "json") return JSON.stringify(value, null, 2);
  const { stringify } = await import("yaml");
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false }).trimEnd();
}

/** Writes text and a line end to stdout; resolves when the reader has room for more. */
async function write(text: string): Promise<void> {
  if (text !== "") await writeText(`${text}\n`);
}

function writeText(text: string): Promise<void> {
  return new Promise((resolve) => process.stdout.write(text, () => resolve()));
}

/** Columns under upper-case headings. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return columns([head.map((heading) => heading.toUpperCase()), ...rows]);
}

/** `Name: value` lines, values aligned; entries with nothing to say are left out. */
export function fields(entries: readonly (readonly [name: string, value: string | undefined])[]): string {
  return columns(entries.flatMap(([name, value]) => (value === undefined ? [] : [[name && `${name}:`, value]])));
}

/** For tables that come in pages: headings first, and columns that never become narrower. */
export function tableWriter<T>(head: readonly string[], toRow: (item: T) => string[]): (page: readonly T[]) => string {
  let pending = [head.map((heading) => heading.toUpperCase())];
  let widths: readonly number[] = [];
  return (page) => {
    const lines = [...pending, ...page.map(toRow)].flatMap(linesOf);
    pending = [];
    widths = widen(lines, widths);
    return align(lines, widths);
  };
}

function columns(rows: readonly (readonly string[])[]): string {
  const lines = rows.flatMap(linesOf);
  return align(lines, widen(lines, []));
}

/** A cell may have several lines: so has its row, then. */
function linesOf(row: readonly string[]): string[][] {
  const cells = row.map((cell) => cell.split("\n"));
  const height = Math.max(...cells.map((cell) => cell.length));
  return Array.from({ length: height }, (_, line) => cells.map((cell) => cell[line] ?? ""));
}

/** The width of each column: as its widest cell, and not below `least`. */
function widen(lines: readonly (readonly string[])[], least: readonly number[]): readonly number[] {
  const widths = [...least];
  for (const cells of lines) {
    for (const [column, cell] of cells.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  return widths;
}

const COLUMN_GAP = "  ";

function align(lines: readonly (readonly string[])[], widths: readonly number[]): string {
  return lines
    .map((cells) =>
      cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join(COLUMN_GAP)
        .trimEnd(),
    )
    .join("\n");
}
