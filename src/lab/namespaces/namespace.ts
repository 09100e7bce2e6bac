import { spawn } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { mustRun, runCommand } from "../../adapters/kernel/command.ts";
import { waitFor } from "../wait.ts";

/** A process inside a namespace. */
export interface LabProcess {
  readonly pid: number;
  readonly command: readonly string[];
}

/** Runs a script of `ip` commands, on the host or in a namespace; all of them or an error that names the line. */
export async function ipBatch(commands: readonly string[], namespace?: string): Promise<void> {
  await mustRun(["ip", ...inNamespace(namespace), "-batch", "-"], { input: `${commands.join("\n")}\n` });
}

/** The output of an `ip -json` command. */
export async function ipJson<T>(args: readonly string[], namespace?: string): Promise<T[]> {
  const stdout = await mustRun(["ip", ...inNamespace(namespace), "-json", ...args]);
  return stdout === "" ? [] : JSON.parse(stdout);
}

function inNamespace(namespace: string | undefined): string[] {
  return namespace === undefined ? [] : ["-netns", namespace];
}

/** Those that exist on this machine. */
export async function namespaces(): Promise<Set<string>> {
  return new Set((await ipJson<{ name: string }>(["netns", "list"])).map(({ name }) => name));
}

/** The words that run a command inside a namespace; it replaces them, so the process id is the command's. */
export function enter(namespace: string, command: readonly string[]): [string, ...string[]] {
  return ["nsenter", `--net=/run/netns/${namespace}`, "--", ...command];
}

export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** What the command reads on stdin. */
  readonly input?: string;
  /** The command is ended after this long, and has failed. */
  readonly timeoutMs?: number;
}

export interface RunResult {
  readonly stdout: string;
  readonly stderr: string;
  /** `undefined` where a signal ended it. */
  readonly exitCode: number | undefined;
}

/** Runs a command to its end; its exit code is the caller's to judge. */
export async function runIn(
  namespace: string,
  command: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  return await runCommand(enter(namespace, command), { env: process.env, ...options });
}

/** Runs a command that must succeed. @throws an error with what it said */
export async function doIn(namespace: string, command: readonly string[]): Promise<void> {
  const { exitCode, stdout, stderr } = await runIn(namespace, command);
  if (exitCode !== 0) throw new Error(`${command.join(" ")} failed in ${namespace}: ${stderr || stdout}`);
}

/** Starts a process that goes on when we are gone; what it prints goes to the end of `log`. Returns its process id. */
export function startIn(namespace: string, command: readonly string[], log: string, env = process.env): number {
  const [file, ...args] = enter(namespace, command);
  const output = openSync(log, "a");
  try {
    const child = spawn(file, args, { detached: true, stdio: ["ignore", output, output], cwd: "/", env });
    child.unref();
    if (child.pid === undefined) throw new Error(`can't start ${file}`);
    return child.pid;
  } finally {
    closeSync(output);
  }
}

/**
 * Runs a command inside a namespace in our place: our terminal, our signals, its exit code (128 + signal number where a
 * signal ended it).
 */
export function becomeIn(namespace: string, command: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [file, ...args] = enter(namespace, command);
  const child = spawn(file, args, { stdio: "inherit", env });
  // The terminal interrupts the command as well: it decides what that means. A signal sent to us alone is passed on.
  const ignore = () => {};
  const forward = () => child.kill("SIGTERM");
  process.on("SIGINT", ignore).on("SIGTERM", forward);
  return new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  }).finally(() => process.off("SIGINT", ignore).off("SIGTERM", forward));
}

/** The processes inside a namespace, parents before children; none where there is no such namespace. */
export async function processesIn(namespace: string): Promise<LabProcess[]> {
  const { stdout, problem } = await runCommand(["ip", "netns", "pids", namespace]);
  if (problem !== undefined) return [];
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .flatMap((line) => describe(Number(line)) ?? [])
    .sort((a, b) => a.pid - b.pid);
}

/** Processes that were started a moment ago, and are about to be inside. */
function entering(namespace: string): LabProcess[] {
  const [program, option] = enter(namespace, []);
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => describe(Number(name)) ?? [])
    .filter(({ command }) => command[0] === program && command[1] === option);
}

/** Whether a process is there, and not only its remains. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  return process.platform !== "linux" || describe(pid) !== undefined;
}

function describe(pid: number): LabProcess | undefined {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
    // The name in parentheses may hold anything.
    const zombie = /^.*\) Z /s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
    return zombie ? undefined : { pid, command };
  } catch {
    return undefined; // It has ended meanwhile.
  }
}

/** Ends everything inside a namespace, whatever it is, and removes the namespace. */
export async function removeNamespace(namespace: string): Promise<void> {
  await waitFor(
    async () => {
      const processes = [...entering(namespace), ...(await processesIn(namespace))];
      for (const { pid } of processes) kill(pid, "SIGKILL");
      return processes.length === 0;
    },
    { deadlineMs: 10_000, what: `the processes in ${namespace} to end`, intervalMs: 20 },
  );
  await mustRun(["ip", "netns", "delete", namespace]);
}

/** Sends a signal; a process that has ended meanwhile is fine. */
export function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
