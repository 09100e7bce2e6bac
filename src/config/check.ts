/** Checks a configuration as a whole: every part of it, and how the parts fit together. */
import { type ResolvedAssociations, resolveAssociations } from "./associations.ts";
import { crossCheck } from "./cross-checks.ts";
import { type Draft, readDraft } from "./draft.ts";
import { checkPaths } from "./path-checks.ts";
import { type ConfigProblem, Problems } from "./problem.ts";
import { checkRoles } from "./role-checks.ts";
import type { ConfigFile } from "./schema.ts";
import { readSecretFile } from "./secrets.ts";
import type { Source } from "./source.ts";

export interface Overrides {
  /** Comes before `node` in the file. */
  readonly node?: string | undefined;
}

/** Everything that is wrong with a configuration, and what is unwise; not to know the node is neither. */
export function checkConfig(file: string, overrides: Overrides = {}): readonly ConfigProblem[] {
  const problems = new Problems();
  check(file, overrides, problems);
  return problems.sorted();
}

/** A configuration without errors, not yet in the form of `Config`. */
export interface Checked {
  readonly source: Source;
  readonly node: string | undefined;
  readonly sections: ConfigFile;
  readonly secret: Uint8Array;
  readonly associations: ResolvedAssociations;
}

const MINIMUM_SECRET_BYTES = 32;

/** `undefined` if there are errors among the problems. */
export function check(
  file: string,
  overrides: Overrides,
  problems: Problems,
  { nodeRequired = false } = {},
): Checked | undefined {
  const draft = readDraft(file, problems);
  if (!draft) return undefined;
  const node = overrides.node ?? draft.sections.node;
  if (nodeRequired && node === undefined) {
    problems.error(draft.source, [], "--node, ANYHOME_NODE or the key node must say which member this is");
  }
  crossCheck(draft, node, problems);
  checkRoles(draft, problems);
  checkPaths(draft, node, problems);
  const secret = readClusterSecret(draft, problems);
  const associations = resolveAssociations(draft.associations, problems);
  if (problems.failed || !secret) return undefined;
  return { source: draft.source, node, sections: draft.sections as ConfigFile, secret, associations };
}

function readClusterSecret({ source, sections }: Draft, problems: Problems): Uint8Array | undefined {
  const name = sections["secret-file"];
  if (name === undefined) return undefined;
  const secret = readSecretFile(name, source, ["secret-file"], problems);
  if (secret && secret.length < MINIMUM_SECRET_BYTES) {
    const message = `the secret must have at least ${MINIMUM_SECRET_BYTES} bytes, found ${secret.length}; openssl rand -hex 32 makes one`;
    problems.error(source, ["secret-file"], message);
  }
  return secret;
}
