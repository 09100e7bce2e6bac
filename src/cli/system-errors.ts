import { CliError } from "./exit.ts";

const hints: Readonly<Record<string, string>> = {
  EACCES: "ports below 1024 need root or CAP_NET_BIND_SERVICE",
  EADDRINUSE: "another process uses that address and port",
  EADDRNOTAVAIL: "this host has no such address",
  ENETUNREACH: "this host has no route there",
};

/** An error of the system ends the command with its reason, and with a hint where there is a usual cause. */
export async function explainingSystemErrors<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error) || !("syscall" in error)) throw error;
    const hint = hints[String(error.code)];
    throw new CliError(hint === undefined ? error.message : `${error.message}: ${hint}`);
  }
}
