/** From a configuration file to the `Config` that the daemon is built from. */
import { check, type Overrides } from "./check.ts";
import type { Config } from "./config.ts";
import { ConfigError, type ConfigProblem, Problems } from "./problem.ts";
import { resolveConfig } from "./resolve.ts";
import { type WrittenConfig, writtenConfig } from "./written.ts";

export interface LoadedConfig {
  readonly config: Config;
  /** To compare it with another one. */
  readonly written: WrittenConfig;
  /** What deserves the operator's attention though it can be used. */
  readonly warnings: readonly ConfigProblem[];
}

/** Throws a ConfigError with everything that is wrong. */
export function loadConfig(file: string, overrides: Overrides = {}): LoadedConfig {
  const problems = new Problems();
  const checked = check(file, overrides, problems, { nodeRequired: true });
  if (!checked) throw new ConfigError(problems.sorted());
  return { config: resolveConfig(checked), written: writtenConfig(checked), warnings: problems.sorted() };
}
