/** What the mission says of the project itself: packages, and what stands at the top level. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const root = new URL("../../", import.meta.url);
const read = (file: string) => readFileSync(new URL(file, root), "utf8");

test("the packages that the mission names are in use", () => {
  const { dependencies, devDependencies } = JSON.parse(read("package.json"));
  expect(Object.keys(dependencies)).toEqual(expect.arrayContaining(["better-sqlite3", "commander", "execa"]));
  expect(Object.keys(devDependencies)).toEqual(expect.arrayContaining(["typescript", "vitest"]));
  for (const name of ["exabgp", "docker-compose"]) {
    expect(read("src/setup/debian-packages.mjs")).toContain(`"${name}"`);
  }
});

test("the top level has what the mission lists, and little else", () => {
  const asked = ["compose", "docs", "exabgp", "package.json", "src", "test", "tsconfig.json"];
  const notAsked = ["CHANGELOG.md", "LICENSE", "README.md", "package-lock.json"];
  const ignored = read(".gitignore")
    .split("\n")
    .map((line) => line.replaceAll("/", ""));
  const found = readdirSync(root).filter((name) => !name.startsWith(".") && !ignored.includes(name));
  expect(found).toEqual(expect.arrayContaining(asked));
  expect(found.filter((name) => ![...asked, ...notAsked].includes(name))).toEqual([]);
});
