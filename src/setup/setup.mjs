// Brings what the demo and the tests need. It runs on the system's own Node, before anything is installed: plain
// JavaScript, and nothing but Node's builtins. `node src/setup/setup.mjs demo|test`

import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureBpfPrograms } from "./bpf-programs.mjs";
import { ensureDebianPackages } from "./debian-packages.mjs";
import { ensureNpmPackages, majorOf, OLDEST_NODE } from "./npm-packages.mjs";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/** @param {string} line */
function say(line) {
  console.log(`set-up: ${line}`);
}

async function setUp() {
  const purpose = process.argv[2];
  if (purpose !== "demo" && purpose !== "test") throw new Error("usage: node src/setup/setup.mjs demo|test");
  if (majorOf(process.version) < OLDEST_NODE) {
    throw new Error(`Node ${OLDEST_NODE} or newer is needed to begin with; this is ${process.version}`);
  }
  await ensureNpmPackages(root, say);
  const obstacle = await ensureDebianPackages(purpose, say);
  if (obstacle) {
    say(obstacle);
    say(
      purpose === "demo"
        ? "the demo will run on loopback, without routers"
        : "the tests that need routers will be skipped",
    );
  } else if (process.getuid?.() !== 0) {
    say("not root: what needs network namespaces will be left out");
  }
  const missingPrograms = await ensureBpfPrograms();
  if (missingPrograms) say(missingPrograms);
}

try {
  await setUp();
} catch (error) {
  console.error(`set-up: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
