import { Command } from "commander";
import { configOption, loadOrExplain, nodeOption } from "./config-file.ts";
import { CliError } from "./exit.ts";

export function runCommand(): Command {
  return new Command("run")
    .description("run the home agent daemon in the foreground; it logs JSON lines on stdout")
    .addOption(configOption())
    .addOption(nodeOption())
    .addHelpText(
      "after",
      "\nSIGTERM and SIGINT withdraw the routes first, and then stop it.\n\nExample:\n  anyhome run -c /etc/anyhome/anyhome.yaml --node ha1",
    )
    .action(async ({ config: file, node }: { config: string; node?: string }) => {
      const config = await loadOrExplain(file, node);
      const { runDaemon } = await import("../daemon/daemon.ts");
      await runDaemon(config).catch((error: Error) => {
        // Where it comes from is in the log.
        throw new CliError(`the daemon can't run: ${error.message}`);
      });
    });
}
