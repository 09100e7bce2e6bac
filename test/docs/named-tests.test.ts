import { describe, expect, test } from "vitest";
import { hasTest } from "./named-tests.ts";

const SOURCE = `
describe("a block", () => {
  test("is plain", () => {});
  test.each([["is in a table", 1]])("%s", () => {});
  test.each([["a"], ["b"]])("is made for %s", () => {});
  scenarios([{ rule: "is a scenario", steps: [] }]);
});
describe.skipIf(missing("python"))("another block", () => {
  it(
    'may say "is plain"',
    () => expect(says("something else")).toBe(true),
  );
});
`;

describe("a test is found by its name", () => {
  test.each([
    "is plain",
    "a block › is plain",
    "a block › is in a table",
    "a block › is made for %s",
    "a block › is a scenario",
    'another block › may say "is plain"',
  ])("%s", (name) => {
    expect(hasTest(SOURCE, name)).toBe(true);
  });

  test.each([
    ["a title that nothing has", "is missing"],
    ["half of a title", "is pla"],
    ["a block alone", "a block"],
    ["a text within a test", "something else"],
    ["a test of an earlier block", "another block › is plain"],
    ["a block that is none", "is plain › is made for %s"],
  ])("but not %s", (_, name) => {
    expect(hasTest(SOURCE, name)).toBe(false);
  });
});
