/** Images are made once for all test files: they stay in one directory from lab to lab, and go with the run. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    readonly engineData: string;
  }
}

export function setup(project: TestProject): (() => void) | undefined {
  const kept = process.env.ANYHOME_TEST_ENGINE_DATA;
  const directory = kept ?? mkdtempSync(join(tmpdir(), "anyhome-docker-"));
  project.provide("engineData", directory);
  return kept === undefined ? () => rmSync(directory, { recursive: true, force: true }) : undefined;
}
