import { expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { fields, table, tableWriter } from "../../src/text/columns.ts";
import { visibleJson, visibleLine, visibleLines, visibleYaml } from "../../src/text/visible.ts";

/** Clears the screen, colours, the same by one character of 8 bits, a bell, an end of line of its own, a turn of direction. */
const HOSTILE = "\u001b[2J\u001b[31m\u009b31m\u0007\r\n\u2028\u202eabc\u007f";
const COMMANDS = /(?!\n)\p{Cc}/u;

test("what would command a terminal is shown by its code, the rest as it is", () => {
  expect(visibleLine("red \u001b[31m")).toBe("red <u001b>[31m");
  expect(visibleLines("one\ntwo\u009b")).toBe("one\ntwo<u009b>");
  expect(visibleLine("jörg@例え.jp")).toBe("jörg@例え.jp");
  expect(visibleLine(HOSTILE)).not.toMatch(/\n/);
  expect(visibleLine(HOSTILE)).not.toMatch(COMMANDS);
});

test("JSON and YAML say the same to their readers, and command no terminal", () => {
  const value = { [HOSTILE]: [HOSTILE, `plain\u0085`, "\u007f"] };
  const json = visibleJson(JSON.stringify(value));
  expect(json).not.toMatch(COMMANDS);
  expect(JSON.parse(json)).toEqual(value);
  const yaml = visibleYaml(stringify(value, { lineWidth: 0 }));
  expect(yaml).not.toMatch(COMMANDS);
  expect(parse(yaml)).toEqual(value);
});

test("a value with a line break in it can't pretend to be a row of a table", () => {
  const forged = "a@b\n10.64.0.9  victim@b";
  expect(table(["nai"], [[forged]]).split("\n")).toHaveLength(2);
  expect(tableWriter(["nai"], (nai: string) => [nai])([forged]).split("\n")).toHaveLength(2);
  expect(fields([["NAI", forged]]).split("\n")).toHaveLength(1);
  expect(fields([["Alarms", ["one", "two"]]]).split("\n")).toHaveLength(2);
});
