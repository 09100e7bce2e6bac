/** Holds the table of rooms in docs/architecture.md to the folders and the imports of src. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

const page = readFileSync("docs/architecture.md", "utf8");
const sources = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((file) => /\.(ts|mjs)$/.test(file));

/** Files that stand above the rooms may be imported by all that the page names. */
const SHARED = ["core/names.ts", "core/now.ts", "core/observer.ts", "version.ts"];

const mayImport = new Map(
  [...page.matchAll(/^\| `([\w/-]+)` \| .+? \| (.+) \|$/gm)].map(([, room = "", rooms = ""]) => [
    room,
    [...rooms.matchAll(/`([\w/-]+)`/g)].map(([, name = ""]) => name),
  ]),
);

/** `core` and `adapters` are made of rooms; the file itself where it is in none. */
function roomOf(file: string): string {
  const parts = file.split("/");
  return parts.slice(0, parts[0] === "core" || parts[0] === "adapters" ? 2 : 1).join("/");
}

function importsOf(file: string): string[] {
  const text = readFileSync(join("src", file), "utf8");
  const paths = [...text.matchAll(/(?:from |import\()"(\.[^"]+)"/g)].map(([, path = ""]) => join(dirname(file), path));
  return paths.filter((path) => !path.startsWith("..")).map(roomOf);
}

test("every room is in the table, and nothing else is", () => {
  const rooms = new Set(sources.map(roomOf).filter((room) => !/\.\w+$/.test(room)));
  expect([...mayImport.keys()].toSorted()).toEqual([...rooms].toSorted());
});

test.each([...mayImport])("%s imports what the table says", (room, allowed) => {
  const imported = new Set(sources.filter((file) => roomOf(file) === room).flatMap(importsOf));
  const unexpected = [...imported].filter(
    (other) =>
      other !== room &&
      !SHARED.includes(other) &&
      !allowed.some((name) => other === name || other.startsWith(`${name}/`)),
  );
  expect(unexpected).toEqual([]);
});

test("the table says nothing that the code does not use", () => {
  const imported = (room: string) => sources.filter((file) => roomOf(file) === room).flatMap(importsOf);
  const unused = [...mayImport].flatMap(([room, allowed]) =>
    allowed
      .filter((name) => !imported(room).some((other) => other === name || other.startsWith(`${name}/`)))
      .map((name) => `${room}: ${name}`),
  );
  expect(unused).toEqual([]);
});
