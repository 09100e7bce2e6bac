/** All keys of the configuration as a list, for people who want to read rather than feed an editor. */
import { z } from "zod";
import { configFile } from "./schema.ts";
import { live } from "./shapes.ts";

export interface ConfigKey {
  /** Path of the key; `[]` stands for every item of a list. */
  readonly key: string;
  readonly expected: string;
  /** The default as it would be written; `required`, or empty where leaving it out has its own meaning. */
  readonly usual: string;
  /** A running daemon can take over a change. */
  readonly isLive: boolean;
  readonly isSection: boolean;
  readonly description: string;
}

interface JsonSchema extends z.core.JSONSchema.BaseSchema {
  live?: boolean;
}

/** In the order of the schema. */
export function configReference(): readonly ConfigKey[] {
  const schema = z.toJSONSchema(configFile, {
    io: "input",
    override({ zodSchema, jsonSchema }) {
      if (live.has(zodSchema)) jsonSchema.live = true;
    },
  });
  return keysOf(schema, "", false);
}

/** When a reload takes over a change. Empty for a section whose keys differ in that. */
export function reloadOf({ isLive, isSection }: ConfigKey): string {
  if (isLive) return "at once";
  return isSection ? "" : "restart";
}

function keysOf(schema: JsonSchema, prefix: string, isLive: boolean): readonly ConfigKey[] {
  const keys = new Map<string, ConfigKey>();
  for (const branch of alternativesOf(schema)) {
    for (const [name, property] of Object.entries(branch.properties ?? {})) {
      if (typeof property !== "object") continue;
      const path = prefix === "" ? name : `${prefix}.${name}`;
      const isRequired = branch.required?.includes(name) ?? false;
      for (const found of keysAt(path, property, isRequired, isLive)) {
        const known = keys.get(found.key);
        keys.set(found.key, known === undefined ? found : merge(known, found));
      }
    }
  }
  return [...keys.values()];
}

/** Lists a key and all keys below it. */
function keysAt(key: string, schema: JsonSchema, isRequired: boolean, isBelowLive: boolean): readonly ConfigKey[] {
  const isLive = isBelowLive || schema.live === true;
  const description = schema.description ?? "";
  const items = itemsOf(schema);
  const inner = items ? keysOf(items, `${key}[]`, isLive) : keysOf(schema, key, isLive);
  const own: ConfigKey = {
    key,
    expected: expectedOf(schema),
    usual: isRequired ? "required" : defaultOf(schema),
    isLive,
    isSection: inner.length > 0,
    description: schema.const === undefined ? description : `\`${schema.const}\`: ${description}`,
  };
  return [own, ...inner];
}

/** The alternatives of a section or a value; the schema itself where there is only one. */
function alternativesOf(schema: JsonSchema): readonly JsonSchema[] {
  const alternatives = schema.oneOf ?? schema.anyOf ?? [schema];
  return alternatives.filter((branch): branch is JsonSchema => typeof branch === "object");
}

/** Joins the rows of a key that several alternatives have. It may mean something else in each, as `advertiser.type` does. */
function merge(known: ConfigKey, found: ConfigKey): ConfigKey {
  if (known.description === found.description) return known;
  return {
    ...known,
    expected: `${known.expected}, ${found.expected}`,
    description: `${known.description} ${found.description}`,
  };
}

function expectedOf(schema: JsonSchema): string {
  if (schema.title !== undefined) return schema.title;
  if (schema.const !== undefined) return String(schema.const);
  if (schema.enum) return schema.enum.join(", ");
  const items = itemsOf(schema);
  if (items) return items.properties ? "a list of sections" : `a list: ${expectedOf(items)}`;
  return schema.anyOf === undefined ? "a section" : alternativesOf(schema).map(expectedOf).join(", or ");
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
