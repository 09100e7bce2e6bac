/** Holds docs/acceptance.md to the sources: what it names exists, and no row of the mission is left out. */
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { hasTest } from "./named-tests.ts";

const root = new URL("../../", import.meta.url);
/** With lines that were broken joined again. */
const page = readFileSync(new URL("docs/acceptance.md", root), "utf8").replaceAll(/\n +(?=\S)/g, " ");

const rows = "M1 M2 M3 M4 M5 M6 M7 M8 M9 M10 M11 M12 M13 M14 D1 D2 D3 D4 D5 D6".split(" ");

interface Row {
  readonly row: string;
  readonly state: string;
  readonly files: readonly string[];
  readonly tests: readonly { readonly file: string; readonly name: string }[];
}

const overview = new Map(
  [...page.matchAll(/^\| \[([MD]\d+)\]\(#\w+\) \| .+ \| ([^|]*) \| ([a-z ]+) \|$/gm)].map(([, row, , state]) => [
    row,
    state,
  ]),
);

const described: readonly Row[] = page
  .split(/^## /m)
  .slice(1)
  .map((section) => ({
    row: section.split("\n")[0] ?? "",
    state: overview.get(section.split("\n")[0]) ?? "",
    files: [...section.matchAll(/^- code: (.+)$/gm)].flatMap(([, files = ""]) =>
      [...files.matchAll(/`([^`]+)`/g)].map(([, file = ""]) => file),
    ),
    tests: [...section.matchAll(/^- test: (.+)$/gm)].map(([, named = ""]) => {
      const [, file = "", name = ""] = /^`([^`]+)` "(.+)"$/.exec(named) ?? [];
      return { file, name };
    }),
  }));

test("every row of the mission is in the table with its state, and has a section", () => {
  expect([...overview.keys()]).toEqual(rows);
  expect(described.map(({ row }) => row)).toEqual(rows);
  for (const state of overview.values()) expect(["done", "partly", "not yet"]).toContain(state);
});

test.each(described.filter(({ state }) => state !== "not yet"))("$row names code and tests, and they exist", (row) => {
  expect(row.files.length).toBeGreaterThan(0);
  expect(row.tests.length).toBeGreaterThan(0);
  const files = [...row.files, ...row.tests.map(({ file }) => file)];
  expect(files.filter((file) => !existsSync(new URL(file, root)))).toEqual([]);
  expect(row.tests.filter(({ file, name }) => !hasTest(readFileSync(new URL(file, root), "utf8"), name))).toEqual([]);
});

test("what can be used today is all that is claimed: rows without tests are not yet there", () => {
  const withoutTests = described.filter(({ tests }) => tests.length === 0).map(({ row }) => row);
  expect(withoutTests).toEqual(rows.filter((row) => overview.get(row) === "not yet"));
  // Those are of later releases; what this one is about must not slip there.
  expect(withoutTests.filter((row) => !["M7", "M9"].includes(row))).toEqual([]);
});
