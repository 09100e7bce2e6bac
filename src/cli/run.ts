import { resolve } from "node:path";
import { Command } from "commander";
import type { LoadedConfig } from "../config/load.ts";
import { configOption, loadOrExplain, nodeOption } from "./config-file.ts";
import { CliError, ExitCode } from "./exit.ts";

interface RunOptions {
  readonly config: string;
  readonly node?: string;
  readonly record?: string;
  readonly recordKeys: boolean;
}

export function runCommand(): Command {
  return new Command("run")
    .description("run the home agent daemon in the foreground; it logs JSON lines on stdout")
    .addOption(configOption())
    .addOption(nodeOption())
    .option("--record <file>", "record all that the core is told, for `anyhome replay`; the file must not exist")
    .option("--record-keys", "with --record: the keys as well, so that the file is all that a replay needs", false)
    .addHelpText(
      "after",
      "\nSIGTERM and SIGINT withdraw the routes first, and then stop it. SIGHUP makes it reload its configuration.\n\nExample:\n  anyhome run -c /etc/anyhome/anyhome.yaml --node ha1",
    )
    .action(async ({ config: file, node, record, recordKeys }: RunOptions) => {
      if (recordKeys && record === undefined) throw new CliError("--record-keys needs --record", ExitCode.usage);
      const recording = record === undefined ? undefined : { path: resolve(record), withKeys: recordKeys };
      // The daemon leaves the directory in which it was started.
      const path = resolve(file);
      const loaded = await loadOrExplain(path, node);
      const [{ runDaemon }, { loadInBackground }] = await Promise.all([
        import("../daemon/daemon.ts"),
        import("../config/background-load.ts"),
      ]);
      const load = (running: LoadedConfig) => loadInBackground(path, { node }, running);
      await runDaemon(loaded, load, recording).catch((error: Error) => {
        // The log has the stack.
        throw new CliError(`the daemon can't run: ${error.message}`);
      });
    });
}
