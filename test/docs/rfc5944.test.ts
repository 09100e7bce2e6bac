/** Holds docs/rfc5944.md to the sources: the tests that it names exist, and no reason or code of the engine is left out. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { denialCodes } from "../../src/core/registration/decision.ts";
import { hasTest } from "./named-tests.ts";

const root = new URL("../../", import.meta.url);
const read = (file: string) => readFileSync(new URL(file, root), "utf8");
const page = read("docs/rfc5944.md");

const sections = page
  .slice(page.indexOf("\n## Coverage"))
  .split(/^### /m)
  .slice(1)
  .map((section) => ({
    title: section.split("\n")[0] ?? "",
    files: [...(/^Tests: ([^|]+?)\.$/m.exec(section)?.[1] ?? "").matchAll(/`([^`]+)`/g)].map(([, file = ""]) => file),
    tests: [...section.matchAll(/^\| .+ \| "(.+)" \|$/gm)].map(([, name = ""]) => name),
  }));

test.each(sections.filter(({ tests }) => tests.length > 0))("$title names tests that exist", ({ files, tests }) => {
  const sources = files.map(read);
  expect(tests.filter((name) => !sources.some((source) => hasTest(source, name)))).toEqual([]);
});

test("most rules that are said to be kept have a test", () => {
  expect(sections.flatMap(({ tests }) => tests).length).toBeGreaterThan(60);
});

test("every reason for a denial stands beside its code", () => {
  const rows = [...page.matchAll(/^\| ([\d, ]+) \| (`.+`) \|$/gm)];
  for (const [reason, code] of Object.entries(denialCodes)) {
    const row = rows.find(([, , reasons = ""]) => reasons.includes(`\`${reason}\``));
    expect(row?.[1], reason).toContain(String(code));
  }
});
