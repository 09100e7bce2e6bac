import { describe, expect, test } from "vitest";
import { parseHelperMessage } from "../../../src/adapters/advertiser/exabgp/helper-protocol.ts";
import { RestartBackoff } from "../../../src/adapters/advertiser/exabgp/restart-backoff.ts";
import { NoneAdvertiser } from "../../../src/adapters/advertiser/none-advertiser.ts";
import { parsePrefix } from "../../../src/core/wire/ipv4.ts";

describe("messages of the helper", () => {
  test.each([
    { type: "hello", version: 1, run: "r", pid: 7, speakerProcess: "6 123", speaker: "exabgp 4.2.21" },
    { type: "applied", sequence: 0 },
    { type: "refused", command: "announce route" },
    { type: "lapsed", silentMs: 1000 },
    { type: "alive", probe: 3 },
    { type: "event", line: "{}" },
    { type: "dropped", events: 7 },
    { type: "dropped", events: 1, neighbor: "192.0.2.1" },
    { type: "path", neighbor: "192.0.2.1", prefix: "10.64.0.0/12", pathId: null },
    {
      type: "path",
      neighbor: "192.0.2.1",
      prefix: "10.64.0.0/12",
      pathId: "0.0.0.1",
      nextHop: "192.0.2.9",
      attributes: {},
    },
    { type: "error", message: "no" },
  ])("$type is understood", (message) => {
    expect(parseHelperMessage(JSON.stringify(message))).toEqual(message);
  });

  test.each([
    "",
    "null",
    "[",
    '{"type":"unknown"}',
    '{"type":"applied"}',
    '{"type":"applied","sequence":-1}',
    '{"type":"applied","sequence":"1"}',
    '{"type":"hello","version":2,"run":"r","pid":7,"speaker":"exabgp 4.2.21"}',
  ])("%j is not", (line) => {
    expect(parseHelperMessage(line)).toBeUndefined();
  });
});

describe("the pause before a restart", () => {
  test("doubles up to 10 s", () => {
    const backoff = new RestartBackoff();
    expect(Array.from({ length: 9 }, () => backoff.nextDelayMs(0))).toEqual([
      100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000,
    ]);
  });

  test("is short again after a run that was long enough", () => {
    const backoff = new RestartBackoff();
    expect([29_999, 29_999, 30_000, 0].map((ranMs) => backoff.nextDelayMs(ranMs))).toEqual([100, 200, 100, 200]);
  });
});

test("the advertiser that announces nothing says what it would announce, while it runs", async () => {
  const prefix = parsePrefix("10.64.0.0/12");
  if (!prefix) throw new TypeError("no prefix");
  const wish = { prefix, communities: [], asPathPrepend: 0 };
  const seen: number[] = [];
  const advertiser = new NoneAdvertiser({ changed: ({ applied }) => seen.push(applied.length) });
  expect(advertiser.status()).toMatchObject({ speaker: "stopped", desired: [], applied: [] });
  await advertiser.start();
  advertiser.set([wish]);
  expect(advertiser.status()).toMatchObject({ type: "none", speaker: "running", desired: [wish], applied: [wish] });
  advertiser.set([]);
  await advertiser.stop();
  expect(advertiser.status()).toMatchObject({ speaker: "stopped", desired: [], applied: [] });
  expect(seen).toEqual([0, 1, 0, 0]);
});
