import { z } from "zod";
import { check, type Overrides } from "./check.ts";
import { homeNetworks } from "./derived.ts";
import { ConfigError, Problems } from "./problem.ts";
import { configFile } from "./schema.ts";

const REDACTED = "(redacted)";

/**
 * The configuration in the form of the file, with the defaults filled in and without keys. Associations of an additional
 * file are not in it. Throws a ConfigError with everything that is wrong.
 */
export function effectiveConfig(file: string, overrides: Overrides = {}): z.input<typeof configFile> {
  const problems = new Problems();
  const checked = check(file, overrides, problems);
  if (!checked) throw new ConfigError(problems.sorted());
  const { sections, node } = checked;
  const encoded = z.encode(configFile, {
    ...sections,
    ...(node !== undefined && { node }),
    registration: {
      ...sections.registration,
      "home-networks": homeNetworks(sections),
    },
  });
  const associations = encoded["security-associations"];
  return {
    ...encoded,
    "security-associations": {
      mobiles: associations?.mobiles?.map(redact),
      "foreign-agents": associations?.["foreign-agents"]?.map(redact),
    },
  };
}

function redact<Association extends { key?: string | undefined; "key-hex"?: string | undefined }>(
  association: Association,
): Association {
  return {
    ...association,
    ...(association.key !== undefined && { key: REDACTED }),
    ...(association["key-hex"] !== undefined && { "key-hex": REDACTED }),
  };
}
