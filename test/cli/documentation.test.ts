/** Makes the reference in docs/cli.md from the tree of commands: `npm test -- test/cli/documentation -u`. */
import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { expect, test } from "vitest";
import { buildProgram } from "../../src/cli/program.ts";

/** Of the help texts, in columns: as wide as the lines of the pages. */
const WIDTH = 110;

test("docs/cli.md has the help of every command", async () => {
  const page = readFileSync(new URL("../../docs/cli.md", import.meta.url), "utf8");
  const [handwritten = ""] = page.split(/(?<=<!-- made from .*-->\n)/);
  const program = await buildProgram(() => true);
  const sections = program.commands.flatMap((command) => sectionsOf(command, "", "##"));
  await expect(`${handwritten}\n${sections.join("\n")}`).toMatchFileSnapshot("../../docs/cli.md");
});

/** A command's own section, then one for each of its subcommands. */
function sectionsOf(command: Command, parent: string, heading: string): string[] {
  const name = `${parent}${command.name()}`;
  const children = command.commands.flatMap((child) => sectionsOf(child, `${name} `, "###"));
  const own = children.length > 0 ? `${command.description()}\n` : `\`\`\`text\n${helpOf(command)}\n\`\`\`\n`;
  return [`${heading} ${name}\n\n${own}`, ...children];
}

/** What `--help` prints, examples included. */
function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
    getOutHelpWidth: () => WIDTH,
    getOutHasColors: () => false,
  });
  command.outputHelp();
  return text.trim();
}
