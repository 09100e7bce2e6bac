/** Reads configuration files into what their schema says, part by part: what is right is kept even where something else is wrong. */
import type { z } from "zod";
import { securityAssociations } from "./associations-schema.ts";
import type { Path } from "./place.ts";
import type { Problems } from "./problem.ts";
import { type ConfigFile, configFile, type SecurityAssociationsFile } from "./schema.ts";
import { reportIssues } from "./schema-problems.ts";
import { readSource, type Source } from "./source.ts";

/** The sections that are as the schema wants them; those with problems are absent. */
export interface Draft {
  readonly source: Source;
  readonly sections: Partial<ConfigFile>;
  /** Of the main file, and of the additional one. */
  readonly associations: readonly AssociationLists[];
}

/** Security associations, and where they stand: `base` leads to the section with the two lists. */
export interface AssociationLists {
  readonly source: Source;
  readonly base: Path;
  readonly lists: SecurityAssociationsFile;
}

/** `undefined` where the file has nothing to look at. */
export function readDraft(file: string, problems: Problems): Draft | undefined {
  const source = readSource(file, problems);
  if (!source) return undefined;
  const sections = parseSections(source, problems);
  const associations: AssociationLists[] = [];
  const inline = sections["security-associations"];
  if (inline) associations.push({ source, base: ["security-associations"], lists: inline });
  const additionalFile = sections["security-associations-file"];
  const additional = additionalFile === undefined ? undefined : readSource(source.resolve(additionalFile), problems);
  if (additional) {
    const lists = parse(additional, [], additional.value, securityAssociations, problems);
    if (lists) associations.push({ source: additional, base: [], lists });
  }
  return { source, sections, associations };
}

function parseSections(source: Source, problems: Problems): Partial<ConfigFile> {
  const { value } = source;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    problems.error(source, [], "expected a configuration with keys such as cluster and members");
    return {};
  }
  const unknown = Object.keys(value).filter((key) => !Object.hasOwn(configFile.shape, key));
  if (unknown.length > 0) {
    reportIssues(
      problems,
      source,
      [],
      [{ code: "unrecognized_keys", keys: unknown, path: [], message: "" }],
      configFile,
    );
  }
  const sections = Object.entries(configFile.shape).flatMap(([key, schema]) => {
    const section = parse(
      source,
      [key],
      Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined,
      schema,
      problems,
    );
    return section === undefined ? [] : [[key, section]];
  });
  return Object.fromEntries(sections);
}

function parse<Schema extends z.ZodType>(
  source: Source,
  base: Path,
  value: unknown,
  schema: Schema,
  problems: Problems,
): z.output<Schema> | undefined {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  reportIssues(problems, source, base, result.error.issues, schema);
  return undefined;
}
