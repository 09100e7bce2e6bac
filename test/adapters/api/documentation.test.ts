/** Makes the reference in docs/api.md from the table of requests: `npm test -- test/adapters/api/documentation -u`. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import type { ApiRequest } from "../../../src/adapters/api/kinds.ts";
import { errors, requests } from "../../../src/adapters/api/requests.ts";

type JsonSchema = z.core.JSONSchema.BaseSchema;

const all: readonly ApiRequest[] = Object.values(requests);
const answers = all.map((request) => ({ request, schema: z.toJSONSchema(request.answer, { io: "output" }) }));

test("docs/api.md has every request, every key of its answer, and every error", async () => {
  const page = readFileSync(new URL("../../../docs/api.md", import.meta.url), "utf8");
  const [handwritten = ""] = page.split(/(?<=<!-- made from .*-->\n)/);
  const codes = Object.entries(errors).map(([code, { status, meaning }]) => `| \`${code}\` | ${status} | ${meaning} |`);
  const sections = [
    `## Errors\n\n${["| code | status | meaning |", "| --- | --- | --- |", ...codes].join("\n")}\n`,
    ...answers.map(({ request, schema }) => sectionOf(request, schema)),
  ];
  await expect(`${handwritten}\n${sections.join("\n")}`).toMatchFileSnapshot("../../../docs/api.md");
});

function titleOf({ method, path }: ApiRequest): string {
  return `${method} ${path.replace(":mobile", "MOBILE")}`;
}

function sectionOf(request: ApiRequest, answer: JsonSchema): string {
  const parts = [`## ${titleOf(request)}`, request.summary];
  if (request.query !== undefined) {
    const query = z.toJSONSchema(request.query, { io: "input" });
    parts.push(
      tableOf(
        "query",
        rowsOf(query, "").map(([key, row]) => [key, row]),
      ),
    );
  }
  const same = requestWith(answer);
  if (same !== undefined && same !== request) parts.push(`The answer is that of \`${titleOf(same)}\`.`);
  else parts.push(tableOf("answer", rowsOf(answer, "")));
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

function tableOf(what: string, rows: readonly (readonly [string, string])[]): string {
  if (rows.length === 0) return "";
  return [
    `| ${what} | type | meaning |`,
    "| --- | --- | --- |",
    ...rows.map(([key, row]) => `| \`${key}\` | ${row}`),
  ].join("\n");
}

/** Each key with its type and meaning; `[]` stands for every item of a list. */
function rowsOf(schema: JsonSchema, path: string): (readonly [string, string])[] {
  const { inner, type } = described(schema);
  const own: (readonly [string, string])[] =
    path === "" || path.endsWith("[]") ? [] : [[path, `${type} | ${schema.description ?? ""} |`]];
  const known = path === "" ? undefined : requestWith(inner);
  if (known !== undefined) return [[path, `as \`${titleOf(known)}\` |  |`]];
  if (typeof inner.items === "object" && !Array.isArray(inner.items)) own.push(...rowsOf(inner.items, `${path}[]`));
  for (const [name, property] of Object.entries(inner.properties ?? {})) {
    if (typeof property === "object") own.push(...rowsOf(property, path === "" ? name : `${path}.${name}`));
  }
  return own;
}

/** The first request whose whole answer has this shape. */
function requestWith(schema: JsonSchema): ApiRequest | undefined {
  const text = shapeOf(schema);
  return answers.find((answer) => shapeOf(answer.schema) === text)?.request;
}

function shapeOf({ $schema: _, description: __, ...schema }: JsonSchema): string {
  return JSON.stringify(schema);
}

function described(schema: JsonSchema): { inner: JsonSchema; type: string } {
  const alternatives = (schema.anyOf ?? [schema]).filter((branch): branch is JsonSchema => typeof branch === "object");
  const [inner = schema] = alternatives.filter(({ type }) => type !== "null");
  return { inner, type: alternatives.map(typeName).join(" or ") };
}

function typeName(schema: JsonSchema): string {
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${value}\``).join(", ");
  if (schema.format === "date-time") return "time";
  if (schema.format === "ipv4") return "IPv4 address";
  if (schema.type === "array") return "list";
  return [schema.type ?? ""].flat().join(" or ");
}
