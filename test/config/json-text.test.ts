import fc from "fast-check";
import { expect, test } from "vitest";
import { JsonText } from "../../src/config/json-text.ts";
import type { Path } from "../../src/config/place.ts";
import { YamlText } from "../../src/config/yaml-text.ts";
import { ConfigDirectory, minimal } from "./config-directory.ts";

function pathsOf(value: unknown): Path[] {
  if (typeof value !== "object" || value === null) return [[]];
  const entries = Array.isArray(value) ? value.map((item, index) => [index, item] as const) : Object.entries(value);
  return [[], ...entries.flatMap(([step, child]) => pathsOf(child).map((path) => [step, ...path]))];
}

test("all parts of a JSON text are found where the reader of YAML finds them", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom(0, 2), (generated, indent) => {
      const text = `\n${JSON.stringify(generated, null, indent)}\n`;
      const [json, yaml] = [new JsonText(text), new YamlText(text)];
      for (const path of pathsOf(JSON.parse(text))) {
        for (const part of ["key", "value"] as const) {
          expect(json.positionOf(path, part)).toEqual(yaml.positionOf(path, part));
        }
      }
    }),
  );
});

test("a problem in a file of 100,000 associations has its place, without the memory that a reader of YAML would take", () => {
  const mobiles = Array.from({ length: 100_000 }, (_, index) => ({
    nai: `mobile${index}@example.com`,
    spi: index === 99_999 ? 1 : 256,
    "key-hex": "0123456789abcdef0123456789abcdef",
  }));
  using directory = new ConfigDirectory({ "more.json": JSON.stringify({ mobiles, "foreign-agents": [] }, null, 1) });
  const before = process.memoryUsage.rss();
  const problems = directory.problems(`${minimal}security-associations-file: more.json\n`);
  expect(problems).toEqual([expect.stringMatching(/^more\.json:500000:\d+: error: mobiles\[99999\]\.spi: /)]);
  expect((process.memoryUsage.rss() - before) / 2 ** 20).toBeLessThan(600);
});
