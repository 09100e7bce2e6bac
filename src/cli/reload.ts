import { Command } from "commander";
import { type ReloadView, reloadView } from "../adapters/api/members.ts";
import { table } from "../text/columns.ts";
import { ask, socketOption } from "./control-client.ts";
import { CliError, ExitCode } from "./exit.ts";
import { type OutputFormat, outputOption, print } from "./output.ts";

/** A hundred thousand security associations take some seconds. */
const TIMEOUT_MS = 120_000;

interface ReloadOptions {
  readonly socket: string;
  readonly output: OutputFormat;
  readonly check?: boolean;
}

export function reloadCommand(): Command {
  return new Command("reload")
    .description("have the daemon reload its configuration file, as SIGHUP does")
    .option("--check", "only say what would change")
    .addOption(outputOption())
    .addOption(socketOption())
    .addHelpText(
      "after",
      `
Members, security associations, rules of registration and replication, and the log level change at once; everything else
needs a restart. A file with errors, or with such a change, leaves everything as it was, and the exit code is 2.

Examples:
  anyhome reload --check
  anyhome reload`,
    )
    .action(async ({ socket, output, check = false }: ReloadOptions) => {
      const view = await ask(socket, "POST", `/v1/reload?check=${check}`, reloadView, TIMEOUT_MS);
      await print(view, output, describe);
      if (view.outcome === "invalid") throw new CliError("the configuration can't be used", ExitCode.usage);
      if (view.outcome === "refused")
        throw new CliError("nothing was taken over: some of it needs a restart", ExitCode.usage);
    });
}

function describe({ outcome, checked, changes, problems }: ReloadView): string {
  const rows = changes.map(({ path, from, to, live }) => [path, from ?? "-", to ?? "-", live ? "at once" : "restart"]);
  const verdict = {
    applied: checked ? "all of it can be taken over" : "it is in force",
    unchanged: "nothing has changed",
    refused: "some of it needs a restart",
    invalid: "it can't be used",
  }[outcome];
  return [
    ...problems,
    ...(rows.length > 0 ? [table(["key", "from", "to", "changes"], rows)] : []),
    `the configuration: ${verdict}`,
  ].join("\n");
}
