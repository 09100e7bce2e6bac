/** All keys of the configuration as a list, for people who want to read rather than feed an editor. */
import type { z } from "zod";
import { configJsonSchema } from "./schema.ts";

export interface ConfigKey {
  /** Path of the key; `[]` stands for every item of a list. */
  readonly key: string;
  readonly expected: string;
  /** The default as it would be written; `required`, or empty where leaving it out has its own meaning. */
  readonly usual: string;
  readonly description: string;
}

type JsonSchema = z.core.JSONSchema.BaseSchema;

/** In the order of the schema. */
export function configReference(): readonly ConfigKey[] {
  return keysOf(configJsonSchema(), "");
}

function keysOf(schema: JsonSchema, prefix: string): readonly ConfigKey[] {
  const keys = new Map<string, ConfigKey>();
  for (const branch of branchesOf(schema)) {
    for (const [name, property] of Object.entries(branch.properties ?? {})) {
      if (typeof property !== "object") continue;
      const path = prefix === "" ? name : `${prefix}.${name}`;
      const found = [ownKey(path, property, branch.required?.includes(name) ?? false), ...innerKeys(path, property)];
      for (const key of found) keys.set(key.key, merge(keys.get(key.key), key));
    }
  }
  return [...keys.values()];
}

/** The alternatives of a section, or the section itself. */
function branchesOf(schema: JsonSchema): readonly JsonSchema[] {
  const alternatives = schema.oneOf ?? schema.anyOf ?? [schema];
  return alternatives.filter((branch): branch is JsonSchema => typeof branch === "object");
}

function innerKeys(path: string, schema: JsonSchema): readonly ConfigKey[] {
  const items = itemsOf(schema);
  return items ? keysOf(items, `${path}[]`) : keysOf(schema, path);
}

function ownKey(key: string, schema: JsonSchema, required: boolean): ConfigKey {
  return {
    key,
    expected: expectedOf(schema),
    usual: required ? "required" : defaultOf(schema),
    description: schema.description ?? "",
  };
}

/** Of a key that several alternatives have, such as `advertiser.type`. */
function merge(known: ConfigKey | undefined, found: ConfigKey): ConfigKey {
  if (!known) return found;
  return {
    ...known,
    expected: `${known.expected}, ${found.expected}`,
    description: `\`${known.expected}\`: ${known.description} \`${found.expected}\`: ${found.description}`,
  };
}

function expectedOf(schema: JsonSchema): string {
  if (schema.title !== undefined) return schema.title;
  if (schema.const !== undefined) return String(schema.const);
  if (schema.enum) return schema.enum.join(", ");
  const items = itemsOf(schema);
  if (items) return items.properties ? "a list of sections" : `a list: ${expectedOf(items)}`;
  return "a section";
}

function itemsOf({ items }: JsonSchema): JsonSchema | undefined {
  return typeof items === "object" && !Array.isArray(items) ? items : undefined;
}

function defaultOf({ default: usual }: JsonSchema): string {
  if (usual === undefined) return "";
  if (Array.isArray(usual)) return usual.length === 0 ? "none" : usual.join(", ");
  if (typeof usual === "object" && usual !== null)
    return Object.entries(usual)
      .map((entry) => entry.join(": "))
      .join(", ");
  return String(usual);
}
