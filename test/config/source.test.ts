import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatProblem, Problems } from "../../src/config/problem.ts";
import { readSource } from "../../src/config/source.ts";
import { ConfigDirectory, minimal } from "./config-directory.ts";

/** What a file is read as, or what is wrong with it. */
function read(content: string | Uint8Array, name = "file.yaml"): unknown {
  using directory = new ConfigDirectory();
  const problems = new Problems();
  const source = readSource(directory.write(name, content), problems);
  if (source !== undefined) return source.value;
  return problems.sorted().map((problem) => formatProblem(problem).replace(/^.*\/file\.\w+:/, ""));
}

describe("whatever the parser of YAML only warns about is an error where it stands", () => {
  test.each([
    [
      "a tag that nobody knows",
      "a: 1\nkey: !secret name_of_it\n",
      "2:6: error: not understood: Unresolved tag: !secret",
    ],
    ["a tag on a section", "a: !include { b: 1 }", "1:4: error: not understood: Unresolved tag: !include"],
    ["a tag by its whole name", "a: !<tag:example.com,2026:x> b", "1:4: error: not understood: Unresolved tag: tag:ex"],
    [
      "a tag of a prefix",
      "%TAG ! tag:x,2026:\n---\na: !b c",
      "3:4: error: not understood: Unresolved tag: tag:x,2026:b",
    ],
    ["bytes", "a: !!binary aGVsbG8=", "1:4: error: not understood: Unresolved tag: tag:yaml.org,2002:binary"],
    ["a set", "a: !!set { b, c }", "1:4: error: not understood: Unresolved tag: tag:yaml.org,2002:set"],
    ["an ordered map", "a: !!omap [b: 1]", "1:4: error: not understood: Unresolved tag: tag:yaml.org,2002:omap"],
    ["a tag that the value doesn't fit", "a: !!float x", "1:4: error: not understood: Unresolved tag: "],
    ["a directive that nobody knows", "%SECRET x\n---\na: 1", "1:1: error: not understood: Unknown directive %SECRET"],
    ["a version that nobody knows", "%YAML 1.3\n---\na: 1", "1:7: error: not understood: Unsupported YAML version 1.3"],
    ["another version", "%YAML 1.1\n---\na: yes", "1:1: error: not understood: YAML 1.1; this is read as YAML 1.2"],
    ["doubled keys", "a: 1\na: 2", "2:1: error: not YAML: Map keys must be unique"],
    ["doubled keys of two types", 'a: 1\n1: 2\n"1": 3', "3:1: error: not YAML: Map keys must be unique"],
    ["a key that is no text", "[a]: 1", "1:1: error: not YAML: With stringKeys, all keys must be strings"],
    ["several documents", "a: 1\n---\nb: 2", "2:1: error: not YAML: Source contains multiple documents"],
    ["an alias without its anchor", "a: 1\nb: *c", "2:4: error: not YAML: Unresolved alias c"],
    [
      "an alias inside of itself",
      "a: &a\n  b: *a",
      "2:6: error: not YAML: the alias a stands inside of what it stands for",
    ],
    ["an escape that there isn't", 'a: "\\q"', "1:5: error: not YAML: Invalid escape sequence \\q"],
    ["half a character", 'a: "\\ud800"', "1:4: error: not YAML: half a surrogate pair"],
    ["a character that no text has", "a: b\0", "1:5: error: not YAML: the character U+0000"],
  ])("%s", (_what, yaml, problem) => {
    expect(read(yaml)).toEqual([expect.stringContaining(problem)]);
  });

  test("there is no merging of keys: << is a key like any other, and unknown", () => {
    expect(read("<<: { a: 1 }\nb: 2")).toEqual({ "<<": { a: 1 }, b: 2 });
    using directory = new ConfigDirectory();
    expect(directory.problems(`${minimal}timers:\n  <<: { relay-timeout: 1s }\n`)).toEqual([
      "anyhome.yaml:14:3: error: timers.<<: unknown key",
    ]);
  });

  test("words of other versions are text", () => {
    expect(read("[yes, no, on, off, y, n, 12:30, 1_000, 2026-11-28]")).toEqual([
      "yes",
      "no",
      "on",
      "off",
      "y",
      "n",
      "12:30",
      "1_000",
      "2026-11-28",
    ]);
  });

  test("what is plain YAML 1.2 is read, with its anchors and a byte-order mark", () => {
    expect(read("\ufeff%YAML 1.2\n---\na: &a { b: [1, -2, 1.25, true, null, !!str 5] }\nc: *a\n...\n")).toEqual({
      a: { b: [1, -2, 1.25, true, null, "5"] },
      c: { b: [1, -2, 1.25, true, null, "5"] },
    });
  });
});

describe("a number is written in decimal digits, and nothing of it is shown, as it may be a key", () => {
  test.each([
    "2.0",
    "0x1f",
    "0o17",
    "017",
    "00",
    "+5",
    "1e3",
    "1E3",
    "2e-1",
    "2.",
    ".5",
    "-0",
    ".inf",
    "-.inf",
    ".nan",
  ])("%s", (number) => {
    const [problem, ...more] = read(`a: 1\nb: [2, ${number}]`) as string[];
    expect(more).toEqual([]);
    expect(problem).toMatch(/^2:8: error: expected a number in decimal digits such as 2 or 1\.25/);
  });

  test.each([
    ["in YAML", "file.yaml"],
    ["in JSON", "file.json"],
  ])("also %s", (_where, name) => {
    for (const number of ["2.0", "1e3", "-0", "10E400"]) {
      expect(read(`{ "a": ${number} }`, name)).toEqual([expect.stringContaining("1:8: error: expected a number")]);
    }
    expect(read('{ "a": [1.5, -3, 4294967295, 1.50] }', name)).toEqual({ a: [1.5, -3, 4294967295, 1.5] });
  });

  test("as an AS, 2.0 is not 2", () => {
    using directory = new ConfigDirectory();
    const bgp = "bgp: { as: 2.0, router-id: 10.1.0.11, neighbors: [{ address: 10.1.0.1, as: 65001 }] }";
    const problems = directory.problems(minimal.replace("10.1.0.11", `10.1.0.11\n    ${bgp}`));
    expect(problems).toEqual([
      expect.stringContaining("anyhome.yaml:8:16: error: expected a number in decimal digits"),
    ]);
  });
});

describe("a file that is not UTF-8 is refused where it stops being it", () => {
  test.each([
    ["Latin-1", Buffer.from('a: 1\nkey: "schlüssel"', "latin1"), "2:11: error: the file is not UTF-8"],
    ["cut off within a character", Buffer.from("a: ü").subarray(0, 4), "1:4: error: the file is not UTF-8"],
    ["an overlong form", Buffer.from("613a20c0af", "hex"), "1:4: error: the file is not UTF-8"],
    ["UTF-16", Buffer.from("\ufeffa: 1", "utf16le"), "1:1: error: the file is UTF-16, not UTF-8"],
    ["UTF-16 without a mark", Buffer.from("a: 1", "utf16le"), "1:2: error: not YAML: the character U+0000"],
  ])("%s", (_what, content, problem) => {
    for (const name of ["file.yaml", "file.json"])
      expect(read(content, name)).toEqual([expect.stringContaining(problem)]);
  });
});

describe("JSON is read as strictly as YAML", () => {
  test.each([
    ["doubled keys", '{ "mobiles": [],\n  "foreign-agents": [], "mobiles": [] }', "2:25: error: not YAML: Map keys"],
    ["doubled keys within", '[{ "nai": "a@b",\n"nai": "c@d" }]', "2:1: error: not YAML: Map keys must be unique"],
    [
      "keys that are doubled by an escape",
      '{ "key": 1,\n"k\\u0065y": 2 }',
      "2:1: error: not YAML: Map keys must be unique",
    ],
    ["doubled keys of a strange name", '{ "__proto__": 1,\n"__proto__": 2 }', "2:1: error: not YAML: Map keys"],
    ["half a character", '["\\ud800"]', "1:2: error: not YAML: half a surrogate pair"],
    ["half a character, shouted", '["\\uDFFF"]', "1:2: error: not YAML: half a surrogate pair"],
    ["an end too early", '{ "mobiles": [', "error: not YAML: "],
    ["more behind the end", '{ "a": 1 }\n{ "b": 2 }', "2:1: error: not YAML: "],
  ])("%s", (_what, json, problem) => {
    expect((read(json, "file.json") as string[])[0]).toContain(problem);
  });

  test("whatever the text, it is read as the same as YAML, or not at all", () => {
    const key = fc.constantFrom("a", "b", "1", "__proto__", "\\u0061", "ä", '\\"', "\\\\");
    const scalar = fc.constantFrom(
      "1",
      "1.5",
      "2.0",
      "1e3",
      "-0",
      '"x"',
      '"\\u00e4"',
      '"\\ud83d\\ude00"',
      '"\\udc00"',
      "null",
    );
    const { value } = fc.letrec<{ value: string }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        scalar,
        fc.array(tie("value"), { maxLength: 3 }).map((items) => `[ ${items.join(" ,\n")}]`),
        fc
          .array(fc.tuple(key, tie("value")), { maxLength: 3 })
          .map((pairs) => `{${pairs.map(([name, item]) => `"${name}" :\t${item}`).join(", ")} }`),
      ),
    }));
    fc.assert(
      fc.property(value, (json) => {
        expect(read(json, "file.json")).toEqual(read(json, "file.yaml"));
      }),
      { numRuns: 300 },
    );
  });

  test("nesting without end is an error, wherever it is noticed", () => {
    for (const depth of [500, 5000, 50_000]) {
      for (const name of ["more.json", "more.yaml"]) {
        using directory = new ConfigDirectory({ [name]: `{"mobiles":${"[".repeat(depth)}${"]".repeat(depth)}}` });
        const problems = directory.problems(`${minimal}security-associations-file: ${name}\n`);
        expect(problems.filter((problem) => problem.startsWith(`${name}:`)).length).toBeGreaterThan(0);
        expect(problems.length).toBeLessThan(30);
      }
    }
  });
});
