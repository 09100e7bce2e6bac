/** What a configuration says, in the words of the file with the defaults filled in, so that two can be compared. No keys in it. */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { Checked } from "./check.ts";
import { configFile } from "./schema.ts";

export interface WrittenConfig {
  readonly node: string | undefined;
  /** All but the security associations. */
  readonly sections: Readonly<Record<string, unknown>>;
  readonly secret: string;
  /** Of all files together. */
  readonly associations: { readonly count: number; readonly fingerprint: string };
}

export function writtenConfig({ node, sections, secret, associations }: Checked): WrittenConfig {
  const { "security-associations": _, ...rest } = sections;
  const { mobiles, foreignAgents } = associations;
  return {
    node,
    sections: z.encode(configFile, { ...rest, "security-associations": { mobiles: [], "foreign-agents": [] } }),
    secret: fingerprint([Buffer.from(secret).toString("hex")]),
    associations: {
      count: mobiles.length + foreignAgents.length,
      fingerprint: fingerprint([...mobiles, ...foreignAgents].map(textOf)),
    },
  };
}

function textOf(association: { readonly key: Uint8Array }): string {
  return JSON.stringify({ ...association, key: Buffer.from(association.key).toString("hex") });
}

function fingerprint(texts: readonly string[]): string {
  const hash = createHash("sha256");
  for (const text of texts) hash.update(text).update("\n");
  return hash.digest("hex");
}
