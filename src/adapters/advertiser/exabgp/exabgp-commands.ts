/** How ExaBGP is started: 4.2 and 5 take the same files, by different arguments. */
export interface ExabgpFiles {
  readonly config: string;
  readonly environment: string;
}

export interface ExabgpCommands {
  readonly run: readonly [string, ...string[]];
  /** Ends with success if it would take the configuration. */
  readonly validate: readonly [string, ...string[]];
  /** To be set for both. */
  readonly variables: Readonly<Record<string, string>>;
}

/** What 4.2 answers with success, and 5, which has a sub-command for it, doesn't know. */
export const VERSION_OPTION = "--version";

/** @param knowsVersionOption whether the program took `VERSION_OPTION` */
export function exabgpCommands(
  program: string,
  { config, environment }: ExabgpFiles,
  knowsVersionOption: boolean,
): ExabgpCommands {
  if (knowsVersionOption) {
    const run = [program, "--env", environment, config] as const;
    return { run, validate: [...run, "--validate"], variables: {} };
  }
  return {
    run: [program, "server", config],
    validate: [program, "validate", config],
    variables: { EXABGP_ENVFILE: environment },
  };
}
