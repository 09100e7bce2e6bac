/** What differs between two configurations, and what of it a running daemon can take over. */
import type { WrittenConfig } from "./written.ts";

export interface ConfigChange {
  /** As in `members[ha1].weight`. */
  readonly path: string;
  /** In the words of the file; `null`: it isn't there. */
  readonly from: string | null;
  readonly to: string | null;
  /** It can be taken over without a restart. */
  readonly live: boolean;
}

/** All that is below these can change while the daemon runs. */
const LIVE = [
  "timers.heartbeat-interval",
  "timers.peer-timeout",
  "timers.maximum-clock-skew",
  "placement",
  "replication",
  "registration",
  "security-associations",
  "security-associations-file",
  "log",
];
/** Of the member that this daemon is; of the others everything. */
const LIVE_OF_OURS = ["weight", "pool", "backups"];

/** `node`: who this daemon is. */
export function compareConfigs(before: WrittenConfig, after: WrittenConfig, node: string): readonly ConfigChange[] {
  const [old, young] = [leavesOf(before), leavesOf(after)];
  const paths = [...new Set([...old.keys(), ...young.keys()])];
  return paths.flatMap((path) => {
    const [from = null, to = null] = [old.get(path), young.get(path)];
    return from === to ? [] : [{ path, from, to, live: isLive(path, node) }];
  });
}

/** Of a configuration as a whole: every value by its path. */
function leavesOf({ node, sections, secret, associations }: WrittenConfig): Map<string, string> {
  const { node: _, members, "security-associations": __, ...others } = sections;
  const leaves = new Map<string, string>();
  if (node !== undefined) leaves.set("node", node);
  for (const [key, value] of Object.entries(others)) addLeaves(leaves, key, value);
  for (const { id, ...member } of members as { readonly id: string }[]) addLeaves(leaves, `members[${id}]`, member);
  leaves.set("secret-file (content)", secret.slice(0, 8));
  const { count, fingerprint } = associations;
  leaves.set("security-associations", `${count} (${fingerprint.slice(0, 8)})`);
  return leaves;
}

function addLeaves(leaves: Map<string, string>, path: string, value: unknown): void {
  if (value === undefined) return;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    leaves.set(path, typeof value === "string" ? value : JSON.stringify(value));
    return;
  }
  for (const [key, part] of Object.entries(value)) addLeaves(leaves, `${path}.${key}`, part);
}

function isLive(path: string, node: string): boolean {
  if (path.startsWith(`members[${node}].`)) return LIVE_OF_OURS.some((key) => path === `members[${node}].${key}`);
  return path.startsWith("members[") || LIVE.some((live) => path === live || path.startsWith(`${live}.`));
}
