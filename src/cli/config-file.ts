/** What the commands that read a configuration file have in common. */

import { Option } from "commander";
import type { LoadedConfig } from "../config/load.ts";
import { CliError, ExitCode } from "./exit.ts";
import { tell } from "./output.ts";

/** `-c, --config`; the command finds it as `config` among its options. */
export function configOption(): Option {
  return new Option("-c, --config <file>", "configuration file")
    .env("ANYHOME_CONFIG")
    .default("/etc/anyhome/anyhome.yaml");
}

/** `--node`; the command finds it as `node` among its options. */
export function nodeOption(): Option {
  return new Option("--node <id>", "which member of the cluster this is").env("ANYHOME_NODE");
}

/** Loads a configuration. Prints warnings on stderr; throws a CliError with all problems if it can't be used. */
export async function loadOrExplain(file: string, node: string | undefined): Promise<LoadedConfig> {
  const [{ loadConfig }, { ConfigError, formatProblem }] = await Promise.all([
    import("../config/load.ts"),
    import("../config/problem.ts"),
  ]);
  try {
    const loaded = loadConfig(file, { node });
    for (const warning of loaded.warnings) tell(formatProblem(warning));
    return loaded;
  } catch (error) {
    if (error instanceof ConfigError)
      throw new CliError(`the configuration can't be used\n${error.message}`, ExitCode.usage);
    throw error;
  }
}
