import { Command } from "commander";
import { checkConfig } from "../config/check.ts";
import { ConfigError, type ConfigProblem, formatProblem } from "../config/problem.ts";
import { configReference, reloadOf } from "../config/reference.ts";
import { configJsonSchema } from "../config/schema.ts";
import { effectiveConfig } from "../config/show.ts";
import { table } from "../text/columns.ts";
import { configOption, nodeOption } from "./config-file.ts";
import { CliError, ExitCode } from "./exit.ts";
import { type OutputFormat, outputOption, print, tell } from "./output.ts";

interface Options {
  readonly config: string;
  readonly node?: string;
  readonly output: OutputFormat;
}

export function configCommand(): Command {
  const config = new Command("config").description("check and show configurations, and their schema");
  config
    .command("check")
    .description("find everything that is wrong with a configuration; exits with 2 if it can't be used")
    .argument("[file]", "instead of --config")
    .addOption(configOption())
    .addOption(nodeOption())
    .addOption(outputOption())
    .addHelpText("after", "\nExample:\n  anyhome config check /etc/anyhome/anyhome.yaml --node ha1")
    .action((file: string | undefined, options: Options) => check(file ?? options.config, options));
  config
    .command("show")
    .description("the configuration with defaults filled in, without keys")
    .argument("[file]", "instead of --config")
    .addOption(configOption())
    .addOption(nodeOption())
    .addOption(outputOption("yaml"))
    .addHelpText("after", "\nExample:\n  anyhome config show -o json | jq .timers")
    .action((file: string | undefined, options: Options) => show(file ?? options.config, options));
  config
    .command("schema")
    .description("the JSON Schema of the configuration, for editors; as a table, the list of all keys")
    .addOption(outputOption("json"))
    .addHelpText(
      "after",
      "\nExample:\n  anyhome config schema > anyhome.schema.json\nThen begin the configuration with\n  # yaml-language-server: $schema=anyhome.schema.json",
    )
    .action(({ output }: { output: OutputFormat }) => print(configJsonSchema(), output, describeKeys));
  return config;
}

async function check(file: string, { node, output }: Options): Promise<void> {
  const problems = checkConfig(file, { node });
  const errors = problems.filter(({ severity }) => severity === "error").length;
  await print({ file, valid: errors === 0, problems }, output, describeCheck);
  if (errors > 0) throw new CliError(`${file} can't be used: ${count(errors, "error")}`, ExitCode.usage);
}

function describeCheck({
  file,
  valid,
  problems,
}: {
  file: string;
  valid: boolean;
  problems: readonly ConfigProblem[];
}): string {
  for (const problem of problems) tell(formatProblem(problem));
  return valid ? `${file} can be used${problems.length === 0 ? "" : `; ${count(problems.length, "warning")}`}` : "";
}

function count(amount: number, thing: string): string {
  return `${amount} ${thing}${amount === 1 ? "" : "s"}`;
}

async function show(file: string, { node, output }: Options): Promise<void> {
  try {
    await print(effectiveConfig(file, { node }), output, (config) => table(["key", "value"], leaves(config, "")));
  } catch (error) {
    if (error instanceof ConfigError)
      throw new CliError(`the configuration can't be used\n${error.message}`, ExitCode.usage);
    throw error;
  }
}

function leaves(value: unknown, path: string): [path: string, value: string][] {
  if (typeof value !== "object" || value === null) return [[path, String(value)]];
  if (Array.isArray(value)) {
    return value.length === 0 ? [[path, "(none)"]] : value.flatMap((item, index) => leaves(item, `${path}[${index}]`));
  }
  return Object.entries(value).flatMap(([key, item]) => leaves(item, path === "" ? key : `${path}.${key}`));
}

function describeKeys(): string {
  return table(
    ["key", "expected", "default", "reload"],
    configReference().map((row) => [row.key, row.expected, row.usual, reloadOf(row)]),
  );
}
