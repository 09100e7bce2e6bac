// Prints the slowest tests and then `N passed, N failed, N skipped` from a vitest JSON report. A test file that could not even be loaded counts as
// one failed test. Exits 1 when the report is not there or tells of no passed test: no tests is no success.

import { readFileSync } from "node:fs";

let report;
try {
  report = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8"));
} catch {
  report = { testResults: [], numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0 };
}
const SLOWEST_SHOWN = 10;

const slowest = report.testResults
  .flatMap(({ assertionResults }) => assertionResults)
  .filter(({ duration }) => typeof duration === "number")
  .toSorted((a, b) => b.duration - a.duration)
  .slice(0, SLOWEST_SHOWN);
if (slowest.length > 0) console.log("\nslowest tests:");
for (const { duration, fullName } of slowest) console.log(`${(duration / 1000).toFixed(1).padStart(7)} s  ${fullName}`);

const unloaded = report.testResults.filter(
  (file) => file.status === "failed" && file.assertionResults.length === 0,
).length;
const skipped = report.numPendingTests + report.numTodoTests;
console.log(`${report.numPassedTests} passed, ${report.numFailedTests + unloaded} failed, ${skipped} skipped`);
process.exitCode = report.numPassedTests > 0 ? 0 : 1;
