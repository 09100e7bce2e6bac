import { Command } from "commander";
import { sidecarFiles } from "../adapters/advertiser/exabgp/speaker-files.ts";
import { exabgpOptions } from "../daemon/make-advertiser.ts";
import { configOption, loadOrExplain, nodeOption } from "./config-file.ts";
import { CliError, ExitCode } from "./exit.ts";

export function exabgpCommand(): Command {
  const exabgp = new Command("exabgp").description("the files of an ExaBGP that runs beside the daemon, as a sidecar");
  for (const [name, file] of [
    ["config", "exabgp.conf"],
    ["environment", "exabgp.env"],
  ] as const) {
    exabgp
      .command(name)
      .description(`print ${file}, as the daemon writes it into the runtime directory when it starts`)
      .addOption(configOption())
      .addOption(nodeOption())
      .addHelpText("after", `\nExample:\n  anyhome exabgp ${name} --node ha1 > ${file}`)
      .action(async (options: { config: string; node?: string }) => {
        process.stdout.write(await render(name, options));
      });
  }
  return exabgp;
}

async function render(
  which: "config" | "environment",
  { config: file, node }: { config: string; node?: string },
): Promise<string> {
  const options = exabgpOptions((await loadOrExplain(file, node)).config);
  if (!options?.sidecar) throw new CliError("the advertiser isn't an ExaBGP with mode: sidecar", ExitCode.usage);
  return sidecarFiles(options)[which];
}
