import { userInfo } from "node:os";
import { runCommand } from "../../kernel/command.ts";

/** Accounts may come from a directory server that doesn't answer. */
const LOOKUP_TIMEOUT_MS = 10_000;

/** The account that ExaBGP runs as. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** Whether it is another account than our own; only root can change to it. */
  readonly foreign: boolean;
}

/**
 * @param user default: `exabgp`, as Debian makes it, if we are root; otherwise ourselves
 * @throws an error with the user's name if there is no such user
 */
export async function findAccount(user: string | undefined): Promise<Account> {
  const own = ownAccount();
  const name = user ?? (own.uid === 0 ? "exabgp" : own.name);
  if (name === own.name) return { ...own, foreign: false };
  const ids = await Promise.all(
    ["-u", "-g"].map(async (which) =>
      Number((await runCommand(["id", which, "--", name], { timeoutMs: LOOKUP_TIMEOUT_MS })).stdout || NaN),
    ),
  );
  const [uid = Number.NaN, gid = Number.NaN] = ids;
  if (Number.isNaN(uid) || Number.isNaN(gid)) throw new Error(`there is no user ${name} for ExaBGP to run as`);
  return { name, uid, gid, foreign: true };
}

/** The account may have no name, as in containers. */
function ownAccount(): Omit<Account, "foreign"> {
  const [uid, gid] = [process.getuid?.() ?? -1, process.getgid?.() ?? -1];
  try {
    return { name: userInfo().username, uid, gid };
  } catch {
    return { name: String(uid), uid, gid };
  }
}

/** The number of a group, given by name or number; our own by default. @throws an error with the name if there is none */
export async function findGroup(group: string | undefined): Promise<number> {
  if (group === undefined) return ownAccount().gid;
  if (/^\d{1,10}$/.test(group)) return Number(group);
  const { stdout } = await runCommand(["getent", "group", "--", group], { timeoutMs: LOOKUP_TIMEOUT_MS });
  const gid = Number(stdout.split(":")[2] || NaN);
  if (Number.isNaN(gid)) throw new Error(`there is no group ${group} for ExaBGP to be in`);
  return gid;
}

/**
 * The words before a command that make it run as that account and die with us. The account changes before the signal is
 * set: the kernel forgets the signal when a process changes its user, as ExaBGP itself would.
 */
export function confinement(account: Account): [string, ...string[]] {
  const change = account.foreign ? [`--reuid=${account.uid}`, `--regid=${account.gid}`, "--clear-groups"] : [];
  return ["setpriv", ...change, "--no-new-privs", "--pdeathsig=KILL", "--"];
}
