/** Holds docs/bugs.md to the tests: whatever it says reproduces a bug is there, and no bug is without. */
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { hasTest } from "./named-tests.ts";

const root = new URL("../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), "utf8");

interface Bug {
  readonly what: string;
  readonly reproducedBy: string;
}

/** Those of the tables whose last column says what reproduces them. */
const bugs: readonly Bug[] = read("docs/bugs.md")
  .split(/^## /m)
  .filter((section) => section.includes("| reproduced by |"))
  .flatMap((section) => section.split("\n"))
  .filter((line) => line.startsWith("| ") && !/^\| (what|---)/.test(line))
  .map((line) => {
    const cells = line.slice(2, -2).split(" | ");
    return { what: cells[0] ?? "", reproducedBy: cells[3] ?? "" };
  });
const mutations = [...read("test/simulation/mutations.test.ts").matchAll(/^ {4}name: "(.+)",$/gm)].map(
  ([, name = ""]) => name,
);

test("there are bugs to be held to", () => {
  expect(bugs.length).toBeGreaterThan(30);
});

test.each(bugs)("reproduced by tests that exist: $what", ({ reproducedBy }) => {
  const tests = [...reproducedBy.matchAll(/`(test\/[^`]+)` "([^"]+)"/g)];
  const [, list = ""] = /mutations? ("[^;]+")/.exec(reproducedBy) ?? [];
  const named = [...list.matchAll(/"([^"]+)"/g)].map(([, name = ""]) => name);
  expect(tests.length + named.length).toBeGreaterThan(0);
  expect(named.filter((name) => !mutations.includes(name))).toEqual([]);
  const isThere = (file: string, name: string) => existsSync(new URL(file, root)) && hasTest(read(file), name);
  expect(tests.filter(([, file = "", name = ""]) => !isThere(file, name)).map(([text]) => text)).toEqual([]);
});
