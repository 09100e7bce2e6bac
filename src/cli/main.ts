#!/usr/bin/env node
/** The command line `anyhome`. The only place that ends the process or sets its exit code on errors. */
import { CommanderError } from "commander";
import { CliError, ExitCode } from "./exit.ts";
import { tell } from "./output.ts";
import { buildProgram, commands } from "./program.ts";

async function main(argv: readonly string[]): Promise<ExitCode> {
  try {
    const named = commandOf(argv);
    const program = await buildProgram((name) => name === named);
    await program.parseAsync([...argv], { from: "user" });
    return ExitCode.ok;
  } catch (error) {
    return report(error);
  }
}

/** The command that the arguments name, which is the only one that has to be loaded. */
function commandOf(argv: readonly string[]): string | undefined {
  const operands = argv.filter((argument) => !argument.startsWith("-"));
  return operands[0] === "help" ? operands[1] : operands[0];
}

function report(error: unknown): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
  if (error instanceof CliError) {
    if (error.message !== "") tell(`anyhome: ${error.message}`);
    return error.exitCode;
  }
  tell(`anyhome: ${error instanceof Error ? error.stack : String(error)}`);
  return ExitCode.error;
}

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // A reader that stops early, like `head`, is no error.
  if (error.code === "EPIPE") process.exit();
  process.exit(report(new CliError(`the output can't be written: ${error.message}`)));
});
// Messages that can't be written are lost, but the exit code still tells the result.
process.stderr.on("error", () => {});

const argv = process.argv.slice(2);
const exitCode = await main(argv);
// A command may have passed on the exit code of what it ran.
if (exitCode !== ExitCode.ok) process.exitCode = exitCode;
if (commands[commandOf(argv) ?? ""]?.endsAtOnce) process.exit();
