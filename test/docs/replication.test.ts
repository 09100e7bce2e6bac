/** Holds the bounds that docs/replication.md gives to the code. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { MAXIMUM_BODY_BYTES } from "../../src/core/protocol/stream-frame.ts";
import { DIGEST_BUCKETS } from "../../src/core/protocol/stream-messages.ts";
import { ACKNOWLEDGEMENT_TIMEOUT_MS, PAGE_ROWS, WINDOW_ROWS } from "../../src/core/replication/peer-progress.ts";

const page = readFileSync(new URL("../../docs/replication.md", import.meta.url), "utf8");
const bounds = new Map([...page.matchAll(/^\| (.+?) \| (.+?) \| .+ \|$/gm)].map(([, what, bound]) => [what, bound]));

test("bounds are those of the code", () => {
  expect(bounds.get("rows under way to a peer, not acknowledged")).toBe(WINDOW_ROWS.toLocaleString("en"));
  expect(bounds.get("time until a peer acknowledges")).toBe(`${ACKNOWLEDGEMENT_TIMEOUT_MS / 1000} s`);
  expect(bounds.get("rows in one message")).toBe(String(PAGE_ROWS));
  expect(bounds.get("body of a frame")).toBe(`${MAXIMUM_BODY_BYTES / 1024 ** 2} MiB`);
  expect(page).toContain(`keep, for each other, ${DIGEST_BUCKETS} digests`);
});

test("the page is short enough to be read", () => {
  expect(Buffer.byteLength(page)).toBeLessThanOrEqual(14 * 1024);
});
