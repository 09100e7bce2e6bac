import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { errorStatus } from "../../../src/adapters/api/control-service.ts";

const page = readFileSync(new URL("../../../docs/api.md", import.meta.url), "utf8");

test("docs/api.md has every error code with its HTTP status", () => {
  const documented = [...page.matchAll(/^\| `([a-z-]+)` \| (\d{3}) \|/gm)].map(([, code, status]) => [
    code,
    Number(status),
  ]);
  expect(Object.fromEntries(documented)).toEqual(errorStatus);
});
