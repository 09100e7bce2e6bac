import { describe, expect, test } from "vitest";
import { anyhome } from "./anyhome.ts";

describe.concurrent("wrong usage exits with 2 and explains on stderr", () => {
  test.each([
    ["an unknown command", ["bindngs"], "unknown command 'bindngs'"],
    ["an unknown option", ["status", "--sokcet", "x"], "unknown option '--sokcet'"],
    ["an unknown output format", ["status", "-o", "xml"], "Allowed choices are table, json, yaml"],
    ["a missing argument", ["bindings", "show"], "missing required argument 'mobile'"],
    ["a bad count", ["bindings", "list", "--limit", "0"], "Expected a whole number from 1"],
    ["a count in hexadecimal", ["bindings", "list", "--limit", "0x10"], "Expected a whole number from 1"],
    ["a count with an exponent", ["sim", "--seeds", "1e3"], "Expected a whole number from 1"],
    ["a count with leading zeros", ["sim", "--seeds", "010"], "Expected a whole number from 1"],
    ["no count", ["sim", "--seed", ""], "Expected a whole number from 0"],
    ["a fraction that is none", ["mn", "load", "--mobiles", "2.0"], "Expected a whole number from 1"],
    ["an endless pause", ["top", "--interval", "Infinity"], "Expected a number greater than 0"],
    ["a command that lacks its verb", ["bindings"], "Usage: anyhome bindings"],
    ["nothing at all", [], "Usage: anyhome"],
  ])("%s", async (_, args, message) => {
    const { exitCode, stdout, stderr } = await anyhome(args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toContain(message);
  });
});

describe.concurrent("help", () => {
  test("goes to stdout with exit code 0, lists all commands, and explains the exit codes", async () => {
    const { exitCode, stdout } = await anyhome(["--help"]);
    expect(exitCode).toBe(0);
    for (const command of [
      "run",
      "status",
      "bindings",
      "peers",
      "routes",
      "counters",
      "config",
      "mn",
      "fa",
      "lab",
      "drill",
    ]) {
      expect(stdout).toMatch(new RegExp(`^  ${command} `, "m"));
    }
    expect(stdout).toContain("4 daemon unreachable");
  });

  test.each(["run", "status", "bindings list", "bindings show", "bindings delete", "peers", "routes", "counters"])(
    "of %s has an example",
    async (command) => {
      const { exitCode, stdout } = await anyhome([...command.split(" "), "--help"]);
      expect(exitCode).toBe(0);
      expect(stdout).toMatch(new RegExp(`Examples?:\n  anyhome ${command}`));
    },
  );

  test("and the version are shown on request", async () => {
    expect((await anyhome(["help", "status"])).stdout).toContain("Usage: anyhome status");
    expect((await anyhome(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
