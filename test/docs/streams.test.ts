/** Holds what docs/protocol.md says about streams to the code: diagrams, messages, and the reasons for their end. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { decodeStreamMessage, encodeStreamMessage, StreamMessageError } from "../../src/core/protocol/stream-codec.ts";
import { DIGEST_BUCKETS, type StreamMessage } from "../../src/core/protocol/stream-messages.ts";
import { UNSPECIFIED } from "../../src/core/wire/ipv4.ts";

const root = new URL("../../", import.meta.url);
const read = (file: string) => readFileSync(new URL(file, root), "utf8");
const page = read("docs/protocol.md");

test.each([
  "src/core/protocol/stream-frame.ts",
  "src/core/protocol/stream-hello.ts",
  "src/core/protocol/stream-codec.ts",
])("the diagrams of %s are those of the page", (file) => {
  const diagrams = read(file).match(/(?:^ \* {3,}\S.*\n)+/gm) ?? [];
  expect(diagrams.length).toBeGreaterThan(0);
  for (const diagram of diagrams) expect(page).toContain(diagram.replaceAll(/^ \* {2}/gm, ""));
});

test("every message stands beside its number", () => {
  const named = [...page.matchAll(/^\| (\d+) \| `([a-z-]+)` \|/gm)].map(([, type, name]) => [Number(type), name]);
  const samples: readonly StreamMessage[] = [
    { type: "rows", number: 1, rows: [] },
    { type: "ack", number: 1 },
    { type: "digests", level: true, buckets: Array.from({ length: DIGEST_BUCKETS }, () => 0) },
    { type: "differing", buckets: [] },
    { type: "synchronized", number: 1 },
    { type: "owned", entries: [], last: true },
    { type: "owned-checked" },
    {
      type: "moved",
      mobile: "ip:10.64.1.1",
      homeAddress: UNSPECIFIED,
      nai: undefined,
      owner: "ha1",
      backups: [],
      generation: 1,
      knownUntilMs: 0,
      homeAddressSinceMs: 0,
    },
    { type: "holding", of: "ha1", versions: [], last: true },
    { type: "want", of: "ha1", mobiles: [] },
    { type: "sent", of: "ha1" },
    { type: "handover", rows: [] },
    { type: "forget", rows: [] },
    { type: "temporary", made: [], ended: [] },
    { type: "claim", homeAddress: UNSPECIFIED, mobile: "ip:10.64.1.1", claimant: "ha1" },
    { type: "holder", homeAddress: UNSPECIFIED, mobile: "ip:10.64.1.1", sinceMs: 0 },
  ];
  expect(named).toEqual(samples.map((message) => [encodeStreamMessage(message)[0], message.type]));
  const next = samples.length + 1;
  expect(() => decodeStreamMessage(Uint8Array.of(next))).toThrow(
    new StreamMessageError(`unknown message type ${next}`),
  );
});

test("every reason for the end of a stream is explained", () => {
  const [, type = ""] =
    /export type StreamFault =(.*?);\n/s.exec(`${read("src/adapters/net/stream-fault.ts")}\n`) ?? [];
  const faults = [...type.matchAll(/\| "([a-z-]+)"/g)].map(([, fault = ""]) => fault);
  expect(faults).toContain("older-boot-count");
  expect(faults.filter((fault) => !page.includes(`\`${fault}\``))).toEqual([]);
});
