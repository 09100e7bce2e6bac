import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { loadConfig } from "../../src/config/load.ts";
import { configReference, reloadOf } from "../../src/config/reference.ts";

const page = readFileSync(new URL("../../docs/config.md", import.meta.url), "utf8");
const sample = /```yaml\n(.*?)```/s.exec(page)?.[1] ?? "";

test("docs/config.md lists every key of the schema", async () => {
  const [handwritten = ""] = page.split(/(?<=<!-- made from .*-->\n)/);
  const rows = configReference().map(
    (row) => `| \`${row.key}\` | ${row.expected} | ${row.usual} | ${reloadOf(row)} | ${row.description} |`,
  );
  const keys = ["| key | expected | default | reload | meaning |", "| --- | --- | --- | --- | --- |", ...rows, ""].join(
    "\n",
  );
  await expect(`${handwritten}\n${keys}`).toMatchFileSnapshot("../../docs/config.md");
});

test("every key says what it means", () => {
  expect(configReference().filter(({ description }) => description === "")).toEqual([]);
});

test("the sample can be used as it is", () => {
  const directory = mkdtempSync(join(tmpdir(), "anyhome-sample-"));
  const write = (name: string, content: string) => writeFileSync(join(directory, name), content, { mode: 0o600 });
  mkdirSync(join(directory, "keys"));
  write("anyhome.yaml", sample);
  write("cluster.secret", "0123456789abcdef0123456789abcdef\n");
  write("keys/alice", "alice's secret key\n");
  write("keys/fa", "hex:00112233445566778899aabbccddeeff\n");
  write(
    "associations.json",
    '{ "mobiles": [{ "nai": "bob@example.com", "spi": 256, "key": "bob\'s own secret key" }] }',
  );
  const { config, warnings } = loadConfig(join(directory, "anyhome.yaml"));
  rmSync(directory, { recursive: true });
  expect(warnings).toEqual([]);
  expect(config.mobileAssociations).toHaveLength(5);
});

test("the sample, and what comes after it, show every key", () => {
  const blocks = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, block = ""]) => block);
  const shown = new Set(blocks.flatMap((block) => pathsOf(parse(block), "")));
  expect(configReference().filter(({ key }) => !shown.has(key))).toEqual([]);
});

/** In the form of the reference: `members[].id`. */
function pathsOf(value: unknown, path: string): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => pathsOf(item, `${path}[]`));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => {
    const inner = path === "" ? key : `${path}.${key}`;
    return [inner, ...pathsOf(item, inner)];
  });
}
