/** Exit codes of `anyhome`: part of the contract with scripts (docs/cli.md). */
export const ExitCode = {
  ok: 0,
  error: 1,
  /** Wrong arguments, or a configuration that can't be used. */
  usage: 2,
  notFound: 3,
  /** No daemon answers on the control socket. */
  unreachable: 4,
  /** The daemon answers, but isn't ready. */
  unhealthy: 5,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** Ends the command: the message goes to stderr, the code to the shell. Thrown anywhere below `main`. */
export class CliError extends Error {
  readonly exitCode: ExitCode;

  constructor(message: string, exitCode: ExitCode = ExitCode.error) {
    super(message);
    this.name = "CliError";
    this.exitCode = exitCode;
  }
}
