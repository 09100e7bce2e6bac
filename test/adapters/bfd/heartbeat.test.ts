import { expect, test } from "vitest";
import {
  BEATS_PER_TIMEOUT,
  beat,
  beatsOf,
  HeartbeatWatch,
  makeHeartbeat,
} from "../../../src/adapters/bfd/heartbeat.ts";

test("a main loop lives as long as it beats, however rarely within the timeout", () => {
  const heartbeat = makeHeartbeat();
  const watch = new HeartbeatWatch();
  for (let looks = 0; looks < 100; looks++) {
    if (looks % (BEATS_PER_TIMEOUT - 1) === 0) beat(heartbeat);
    expect(watch.look(beatsOf(heartbeat))).toBe(true);
  }
});

test("a main loop that stands still is dead within the timeout, and alive with its next beat", () => {
  const heartbeat = makeHeartbeat();
  const watch = new HeartbeatWatch();
  const looks = Array.from({ length: BEATS_PER_TIMEOUT + 3 }, () => watch.look(beatsOf(heartbeat)));
  expect(looks.indexOf(false)).toBe(BEATS_PER_TIMEOUT - 1);
  expect(looks.slice(BEATS_PER_TIMEOUT - 1)).not.toContain(true);
  beat(heartbeat);
  expect(watch.look(beatsOf(heartbeat))).toBe(true);
});
