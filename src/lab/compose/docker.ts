import { runCommand } from "../../adapters/kernel/command.ts";
import { LabError } from "../lab-error.ts";
import type { RunOptions, RunResult } from "../namespaces/namespace.ts";

const LAST_LINES = 20;

/** The command line of Docker, and of docker-compose, towards one engine. */
export class Docker {
  /** Of every command; names the engine. */
  readonly environment: NodeJS.ProcessEnv;

  /** @param socket of an engine; `undefined` for the one that Docker's own environment means */
  constructor(socket?: string) {
    this.environment = socket === undefined ? {} : { DOCKER_HOST: `unix://${socket}`, DOCKER_CONTEXT: undefined };
  }

  /** Runs `docker` to its end; its exit code is the caller's to judge. */
  run(args: readonly string[], options: DockerRunOptions = {}): Promise<RunResult> {
    return this.#run("docker", args, options);
  }

  /** Runs a command that must succeed; resolves with what it printed. @throws LabError with what it said */
  async do(args: readonly string[], options: DockerRunOptions = {}): Promise<string> {
    return succeeded(`docker ${args[0]}`, await this.run(args, options));
  }

  /** As `do`, of docker-compose: the plugin where it is installed, else the program of version 1. */
  async compose(args: readonly string[], options: DockerRunOptions = {}): Promise<string> {
    const [file, ...first] = await composeCommand();
    return succeeded(`docker-compose ${args.join(" ")}`, await this.#run(file, [...first, ...args], options));
  }

  async answers(): Promise<boolean> {
    return (await this.run(["version", "--format", "{{.Server.Version}}"], { timeoutMs: 10_000 })).exitCode === 0;
  }

  async #run(file: string, args: readonly string[], options: DockerRunOptions): Promise<RunResult> {
    const env = { ...process.env, ...this.environment, ...options.env };
    const result = await runCommand([file, ...args], { ...options, env });
    options.signal?.throwIfAborted();
    return result;
  }
}

export interface DockerRunOptions extends RunOptions {
  /** Ends the command, and rejects. */
  readonly signal?: AbortSignal | undefined;
  readonly cwd?: string;
}

let found: Promise<readonly [string, ...string[]]> | undefined;

/** The words that docker-compose is started by. */
export function composeCommand(): Promise<readonly [string, ...string[]]> {
  found ??= runCommand(["docker", "compose", "version"], { env: process.env }).then(({ problem }) =>
    problem === undefined ? ["docker", "compose"] : ["docker-compose"],
  );
  return found;
}

function succeeded(what: string, { exitCode, stdout, stderr }: RunResult): string {
  if (exitCode === 0) return stdout;
  const said = `${stdout}\n${stderr}`.trim().split("\n").slice(-LAST_LINES).join("\n");
  throw new LabError(`${what} failed:\n${said || "it is not installed, or was ended"}`);
}
