import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createLog, type LogOptions } from "../../../src/adapters/telemetry/log.ts";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

function logToMemory(level: LogOptions["level"]) {
  const lines: Record<string, unknown>[] = [];
  const log = createLog({ level, node: "ha1", stream: { write: (line) => lines.push(JSON.parse(line)) } });
  return { log, lines };
}

test("a line has time, level, node, event id, message and the event's fields", () => {
  vi.setSystemTime(new Date("2026-01-02T03:04:05.678Z"));
  const { log, lines } = logToMemory("info");
  log.event("member-dead", { member: "ha2" });
  expect(lines).toEqual([
    {
      time: "2026-01-02T03:04:05.678Z",
      level: "error",
      node: "ha1",
      event: "member-dead",
      msg: "member is dead",
      member: "ha2",
    },
  ]);
});

test("an error is logged with its message and stack", () => {
  const { log, lines } = logToMemory("info");
  log.event("send-failed", { err: new Error("no route") });
  expect(lines[0]?.err).toMatchObject({
    type: "Error",
    message: "no route",
    stack: expect.stringContaining("Error: no route"),
  });
});

test("events below the level are not logged", () => {
  const { log, lines } = logToMemory("warn");
  log.event("daemon-started");
  log.event("registration-denied");
  expect(lines).toEqual([]);
});

test("a flood of one event is cut off, while other events are still logged", () => {
  const { log, lines } = logToMemory("info");
  for (let i = 0; i < 100_000; i++) log.event("relay-timeout", { owner: "ha2" });
  log.event("member-dead", { member: "ha2" });
  expect(lines.length).toBeLessThan(50);
  expect(lines.at(-1)?.event).toBe("member-dead");
});

test("the next line after a flood tells how many were left out", () => {
  const { log, lines } = logToMemory("info");
  for (let i = 0; i < 1000; i++) log.event("relay-timeout");
  const logged = lines.length;
  vi.advanceTimersByTime(2000);
  log.event("relay-timeout");
  expect(lines).toHaveLength(logged + 1);
  expect(lines.at(-1)?.suppressed).toBe(1000 - logged);
});

test("a flood that stops is reported by itself after a while, once", () => {
  const { log, lines } = logToMemory("info");
  for (let i = 0; i < 1000; i++) log.event("relay-timeout");
  const logged = lines.length;
  vi.advanceTimersByTime(60_000);
  expect(lines).toHaveLength(logged + 1);
  expect(lines.at(-1)).toMatchObject({ event: "relay-timeout", suppressed: 1000 - logged });
});

test("closing reports what was left out", async () => {
  const { log, lines } = logToMemory("info");
  for (let i = 0; i < 1000; i++) log.event("relay-timeout");
  await log.close();
  expect(lines.at(-1)?.suppressed).toBe(1001 - lines.length);
});

test("whoever asks for debug lines gets them by the hundreds", () => {
  const { log, lines } = logToMemory("debug");
  for (let i = 0; i < 500; i++) log.event("registration-accepted", { mobile: `ip:10.64.0.${i}` });
  expect(lines).toHaveLength(500);
});
