/** Holds docs/protocol.md to the code: names of faults and counters, and the frame to test with. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Counters } from "../../src/adapters/telemetry/counters.ts";
import { deriveFrameKey } from "../../src/core/auth/cluster-key.ts";
import { incarnationOf } from "../../src/core/protocol/acquaintance.ts";
import type { Heartbeat } from "../../src/core/protocol/datagrams.ts";
import { FrameCodec } from "../../src/core/protocol/frame.ts";

const root = new URL("../../", import.meta.url);
const read = (file: string) => readFileSync(new URL(file, root), "utf8");
const page = read("docs/protocol.md");

test("every fault of a frame is explained", () => {
  const [, type = ""] = /export type FrameFault =(.*?);/s.exec(read("src/core/protocol/frame.ts")) ?? [];
  const faults = [...type.matchAll(/"([a-z-]+)"/g)].map(([, fault = ""]) => fault);
  expect(faults).toContain("replayed");
  expect(faults.filter((fault) => !page.includes(`\`${fault}\``))).toEqual([]);
});

test("every counter of the table of faults exists", () => {
  const [, table = ""] = /^## Faults\n(.*?)^## /ms.exec(page) ?? [];
  const named = [...table.matchAll(/^\| .+ \| .+ \| (?:at the owner )?`([a-z-]+)`/gm)].map(([, counter]) => counter);
  expect(named.length).toBeGreaterThan(10);
  expect(Object.keys(new Counters().snapshot())).toEqual(expect.arrayContaining(named));
});

test("the frame to test with is what a member sends", () => {
  const [, example = ""] = /^## A frame to test with.*?^```\n(.*?)^```/ms.exec(page) ?? [];
  const digits = [...example.matchAll(/^(?:key|frame)? +((?:[0-9a-f]+ )*[0-9a-f]+)(?: {3,}|$)/gm)].map(([, hex = ""]) =>
    hex.replaceAll(" ", ""),
  );
  const [key, ...frame] = digits;
  const secret = new TextEncoder().encode("0123456789abcdef0123456789abcdef");
  expect(deriveFrameKey(secret, "lab", "ha1", "ha2").export().toString("hex")).toBe(key);
  const member = (self: string, peer: string, incarnation: bigint) =>
    new FrameCodec({ cluster: "lab", secret, self, peers: [peer], incarnation });
  const [ha1, ha2] = [
    member("ha1", "ha2", incarnationOf(7, 0x89abcdef)),
    member("ha2", "ha1", incarnationOf(4, 0x01234567)),
  ];
  const heartbeat: Heartbeat = {
    type: "heartbeat",
    sentAtMs: 1_790_000_000_000,
    systemTimeMs: 1_790_000_000_001,
    isTimeCertain: true,
    health: "ready",
    announced: true,
    unfitCount: 0,
    heardUnfitCount: 1,
    membersDigest: 0x12345678,
    load: { ownedBindings: 1000, registrationsPerSecond: 95, eventLoopDelayMs: 12, storeQueue: 3 },
    takesLinkRelay: false,
    canStore: true,
    silent: [],
  };
  ha1.open(ha2.seal("ha1", heartbeat) ?? new Uint8Array());
  const sent = ha1.seal("ha2", heartbeat);
  expect(Buffer.from(sent ?? []).toString("hex")).toBe(frame.join(""));
});
