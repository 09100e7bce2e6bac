/** Holds docs/tunnels.md to the tests that it names. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { hasTest } from "./named-tests.ts";

const read = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
const named = [...read("docs/tunnels.md").matchAll(/^\| .+ \| .+ \| "(.+)" \|$/gm)].map(([, name = ""]) => name);
const sources = ["tunnels.test.ts", "bpf-data-plane.test.ts"].map((name) => read(`test/adapters/dataplane/${name}`));

test("tests that the page names exist", () => {
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter((name) => !sources.some((source) => hasTest(source, name)))).toEqual([]);
});
