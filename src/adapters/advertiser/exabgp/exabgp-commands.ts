/** How ExaBGP is started: 4.2 and 5 take the same files with different arguments. */
export interface ExabgpFiles {
  readonly config: string;
  readonly environment: string;
}

export interface ExabgpCommands {
  readonly run: readonly [string, ...string[]];
  /** A command that succeeds if ExaBGP would accept the configuration. */
  readonly validate: readonly [string, ...string[]];
  /** The environment for both. */
  readonly variables: Readonly<Record<string, string>>;
}

/** An option that 4.2 answers with success, and that 5 doesn't know, as it has a sub-command for it. */
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
