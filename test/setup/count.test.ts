import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const COUNT = fileURLToPath(new URL("../../.ci/count.mjs", import.meta.url));

describe("the end of a CI run", () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "anyhome-count-"));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  const numbers = { numPassedTests: 5, numFailedTests: 2, numPendingTests: 3, numTodoTests: 1 };
  const loaded = { status: "failed", assertionResults: [{ status: "failed" }] };

  test("counts what the test runner reports; skipped tests include those to be written", () => {
    expect(count({ ...numbers, testResults: [loaded] })).toMatchObject({
      line: "5 passed, 2 failed, 4 skipped",
      code: 0,
    });
  });

  test("counts a test file that can't be loaded as a failure", () => {
    const unloaded = { status: "failed", assertionResults: [] };
    expect(count({ ...numbers, testResults: [loaded, unloaded] }).line).toBe("5 passed, 3 failed, 4 skipped");
  });

  test("names the slowest ten tests, slowest first, before the line that counts", () => {
    const assertionResults = Array.from({ length: 12 }, (_, index) => ({
      fullName: `test ${index}`,
      duration: index * 1000,
    }));
    const { lines } = count({ ...numbers, testResults: [{ status: "passed", assertionResults }] });
    const named = lines.filter((line) => / s {2}test/.test(line));
    expect(named).toHaveLength(10);
    expect(named.at(0)).toBe("   11.0 s  test 11");
    expect(lines.at(-1)).toMatch(/passed/);
  });

  test("is a failure when no test has passed", () => {
    expect(count({ ...numbers, numPassedTests: 0, testResults: [] }).code).toBe(1);
  });

  test("is a failure when there is no report", () => {
    expect(run(join(directory, "absent.json"))).toMatchObject({ line: "0 passed, 0 failed, 0 skipped", code: 1 });
  });

  function count(report: object) {
    const file = join(directory, "report.json");
    writeFileSync(file, JSON.stringify(report));
    return run(file);
  }

  function run(file: string) {
    const { stdout, status } = spawnSync(process.execPath, [COUNT, file], { encoding: "utf8" });
    const lines = stdout.trimEnd().split("\n");
    return { line: lines.at(-1), lines, code: status };
  }
});
