/** A recording whose file fails: it ends, and says why. */
import { closeSync, mkdtempSync, readdirSync, readlinkSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readRecording } from "../../../src/adapters/recording/read-recording.ts";
import { Recorder } from "../../../src/adapters/recording/recorder.ts";
import { AssociationTable } from "../../../src/core/auth/association-table.ts";
import type { Input } from "../../../src/core/home-agent/io.ts";
import type { HomeAgentSettings } from "../../../src/core/home-agent/settings.ts";
import { waitFor } from "../../../src/lab/wait.ts";

const NOW = { wallMs: 1_790_000_000_000, monotonicMs: 5000 };
const TICK: Input = { type: "tick" };

let directory: string;
let reasons: string[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "anyhome-recording-"));
  reasons = [];
});
afterEach(() => rmSync(directory, { recursive: true }));

const path = () => join(directory, "recording");

function start(): Promise<Recorder> {
  // A recorder keeps what it is given, and looks at nothing else of it.
  const settings = { self: "ha1", associations: new AssociationTable([], []) } as unknown as HomeAgentSettings;
  const ended = (reason: string) => reasons.push(reason);
  return Recorder.start({ path: path(), version: "0", settings, withKeys: false, forwards: false, ended });
}

async function turns(): Promise<number> {
  let count = 0;
  for await (const item of readRecording(path())) if ("inputs" in item) count++;
  return count;
}

test("that can't be written any more ends, once, and takes what comes without a word", async () => {
  const recorder = await start();
  recorder.turn(NOW, [TICK], []);
  const [descriptor = "-1"] = readdirSync("/proc/self/fd").filter((fd) => linkOf(fd) === path());
  await waitFor(async () => (await turns()) === 1, { deadlineMs: 10_000, what: "the first turn to be written" });
  closeSync(Number(descriptor));
  recorder.turn(NOW, [TICK], []);
  await waitFor(() => reasons.length > 0, { deadlineMs: 10_000, what: "the end" });
  recorder.turn(NOW, [TICK], []);
  await recorder.close();
  expect(reasons).toEqual([expect.stringContaining("EBADF")]);
  expect(await turns()).toBe(1);
});

test("on a disk that is too slow ends before it takes all memory", async () => {
  const recorder = await start();
  const source = { address: 0 as never, port: 4340 };
  for (let megabytes = 0; megabytes < 160 && reasons.length === 0; megabytes += 16)
    recorder.turn(NOW, [{ type: "frame", payload: new Uint8Array(16 << 20), source }], []);
  await recorder.close();
  expect(reasons).toEqual([expect.stringContaining("slower")]);
});

test("of a daemon that was killed is read up to its last whole record", async () => {
  const recorder = await start();
  for (let turn = 0; turn < 3; turn++) recorder.turn(NOW, [TICK], []);
  await recorder.close();
  truncateSync(path(), statSync(path()).size - 3);
  expect(await turns()).toBe(2);
});

function linkOf(descriptor: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return undefined;
  }
}
