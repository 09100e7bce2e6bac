/** What differs between two configurations, and what of it a running daemon can take over. */
import { configReference } from "./reference.ts";
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

/** `node`: who this daemon is. */
export function compareConfigs(before: WrittenConfig, after: WrittenConfig, node: string): readonly ConfigChange[] {
  const [old, young] = [leavesOf(before), leavesOf(after)];
  const paths = [...new Set([...old.keys(), ...young.keys()])];
  const liveKeys = new Set(configReference().flatMap(({ key, isLive }) => (isLive ? [key] : [])));
  // Everything of the other members can change.
  const isLive = (path: string) =>
    (path.startsWith("members[") && !path.startsWith(`members[${node}].`)) ||
    liveKeys.has(path.replace(/^members\[.*?\]/, "members[]"));
  return paths.flatMap((path) => {
    const [from = null, to = null] = [old.get(path), young.get(path)];
    return from === to ? [] : [{ path, from, to, live: isLive(path) }];
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
