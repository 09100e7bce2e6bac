/** Holds what docs/protocol.md says about the ends of streams to the code. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const root = new URL("../../", import.meta.url);
const read = (file: string) => readFileSync(new URL(file, root), "utf8");
const page = read("docs/protocol.md");

test("every reason for the end of a stream is explained", () => {
  const [, type = ""] =
    /export type StreamFault =(.*?);\n/s.exec(`${read("src/adapters/net/stream-fault.ts")}\n`) ?? [];
  const faults = [...type.matchAll(/\| "([a-z-]+)"/g)].map(([, fault = ""]) => fault);
  expect(faults).toContain("older-boot-count");
  expect(faults.filter((fault) => !page.includes(`\`${fault}\``))).toEqual([]);
});
