/**
 * What commands print on stdout: a table for people, JSON or YAML for scripts. Messages go to stderr. All text
 * leaves through here, so that nothing from a daemon, a router or a file can control the terminal.
 */
import { Option } from "commander";
import { visibleJson, visibleLines, visibleYaml } from "../text/visible.ts";

export type OutputFormat = "table" | "json" | "yaml";

/** `-o, --output table|json|yaml`; the command finds it as `output` among its options. */
export function outputOption(usual: OutputFormat = "table"): Option {
  return new Option("-o, --output <format>", "how to print the result")
    .choices(["table", "json", "yaml"])
    .default(usual);
}

/** Prints `value` as JSON or YAML, or what `toText` makes of it. */
export async function print<T>(value: T, format: OutputFormat, toText: (value: T) => string): Promise<void> {
  await write(format === "table" ? visibleLines(toText(value)) : await serialize(value, format));
}

/** Prints a message on stderr, with a line end. */
export function tell(message: string): void {
  process.stderr.write(`${visibleLines(message)}\n`);
}

/**
 * Prints a list that arrives in pages, each as soon as it is there; JSON and YAML look as if it had arrived in one piece.
 */
export async function printList<T>(
  pages: AsyncIterable<readonly T[]>,
  format: OutputFormat,
  toText: (page: readonly T[]) => string,
): Promise<void> {
  let printed = 0;
  for await (const page of pages) {
    if (format === "table") await write(visibleLines(toText(page)));
    else if (format === "yaml") await write(page.length === 0 ? "" : await serialize(page, format));
    else await writeJsonItems(page, printed === 0);
    printed += page.length;
  }
  if (format === "json") await write(printed === 0 ? "[]" : "\n]");
  if (format === "yaml" && printed === 0) await write("[]");
}

async function writeJsonItems(items: readonly unknown[], first: boolean): Promise<void> {
  const texts = items.map((item) => visibleJson(JSON.stringify(item, null, 2)).replaceAll(/^/gm, "  "));
  if (texts.length > 0) await writeText(`${first ? "[\n" : ",\n"}${texts.join(",\n")}`);
}

/** @param indent of JSON; 0 puts it on one line */
export async function serialize(value: unknown, format: "json" | "yaml", indent = 2): Promise<string> {
  if (format === "json") return visibleJson(JSON.stringify(value, null, indent));
  const { stringify } = await import("yaml");
  return visibleYaml(stringify(value, { lineWidth: 0, aliasDuplicateObjects: false })).trimEnd();
}

/** Writes text and a line end to stdout; resolves when the reader has room for more. */
export async function write(text: string): Promise<void> {
  if (text !== "") await writeText(`${text}\n`);
}

function writeText(text: string): Promise<void> {
  return new Promise((resolve) => process.stdout.write(text, () => resolve()));
}
