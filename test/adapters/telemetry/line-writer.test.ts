import { execFileSync, spawn } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LineWriter } from "../../../src/adapters/telemetry/line-writer.ts";
import { waitFor } from "../../../src/lab/wait.ts";

const CHILD = fileURLToPath(new URL("logging-child.ts", import.meta.url));
const PATIENCE = { deadlineMs: 30_000, intervalMs: 5 };

let directory: string;
let fifo: string;
let reader: number;
let descriptor: number;
let lost: number;
let gaps: number[];
let writer: LineWriter;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "anyhome-lines-"));
  fifo = join(directory, "fifo");
  execFileSync("mkfifo", [fifo]);
  reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  descriptor = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
  lost = 0;
  gaps = [];
  writer = new LineWriter({
    descriptor,
    lost: () => {
      lost += 1;
    },
    resumed: (lines) => {
      gaps.push(lines);
      writer.write(`gap of ${lines}\n`);
    },
  });
});

afterEach(async () => {
  await writer.end(0);
  for (const open of [descriptor, reader]) if (open !== -1) closeSync(open);
  rmSync(directory, { recursive: true });
});

/** What there is to read now. */
function read(): string {
  const buffer = Buffer.alloc(1 << 16);
  let text = "";
  for (;;) {
    try {
      const length = readSync(reader, buffer);
      if (length === 0) return text;
      text += buffer.toString("latin1", 0, length);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      return text;
    }
  }
}

/** Reads until the text ends so. */
async function readUntil(end: string): Promise<string> {
  let text = "";
  await waitFor(
    () => {
      text += read();
      return text.endsWith(end);
    },
    { ...PATIENCE, what: `the line ${end}` },
  );
  return text;
}

test("lines come out whole and in order, however slowly they are read", async () => {
  const lines = Array.from({ length: 5000 }, (_, index) => `line ${index} ${"x".repeat(100)}\n`);
  for (const line of lines) writer.write(line);
  expect(await readUntil(lines.at(-1) ?? "")).toBe(lines.join(""));
  expect(lost).toBe(0);
});

test("of what finds no room each line is counted, in one gap, and the log says where it is", async () => {
  const line = (index: number) => `line ${index} ${"x".repeat(1000)}\n`;
  let count = 0;
  while (lost === 0) writer.write(line(count++));
  await waitFor(() => writer.failure, { ...PATIENCE, what: "it to notice that nobody reads" });
  expect(writer.failure).toMatch(/nobody reads/);
  for (let more = 0; more < 100; more++) writer.write(line(count++));
  expect(lost).toBe(101);
  const kept = Array.from({ length: count - 101 }, (_, index) => line(index));
  expect(await readUntil("gap of 101\n")).toBe(`${kept.join("")}gap of 101\n`);
  expect(gaps).toEqual([101]);
  expect(writer.failure).toBeUndefined();
  writer.write("after\n");
  expect(await readUntil("after\n")).toBe("after\n");
});

test("a broken pipe is told of at once, and ends neither the process nor the end", async () => {
  closeSync(reader);
  reader = -1;
  writer.write("lost\n");
  await waitFor(() => writer.failure, { ...PATIENCE, what: "it to notice" });
  expect(writer.failure).toMatch(/EPIPE/);
  await writer.end(60_000);
});

test("the end waits for what a slow reader still takes, and no longer than it may", async () => {
  writer.write(`${"x".repeat(1 << 19)}\n`);
  const startedAtMs = performance.now();
  await writer.end(100);
  expect(performance.now() - startedAtMs).toBeGreaterThan(90);
  expect(read().length).toBeLessThan(1 << 19);
});

test("what waits when a process crashes is written", async () => {
  const child = spawn(process.execPath, [CHILD, "crash at once", "100"], {
    stdio: ["ignore", "ignore", "ignore", "pipe"],
  });
  let text = "";
  child.stdio[3]?.on("data", (chunk) => {
    text += chunk;
  });
  expect(await new Promise((resolve) => child.once("close", resolve))).toBe(1);
  expect(text).toContain("the last line\n");
});

describe("a process whose log hangs in the kernel, as on a dead file system,", () => {
  test.each(["stop", "crash"])("is no longer there after a %s", async (way) => {
    const child = spawn(process.execPath, [CHILD, way, String(1 << 19)], {
      // A blocking descriptor stands for a file: those can't be non-blocking.
      stdio: ["ignore", "ignore", "ignore", openSync(fifo, constants.O_WRONLY)],
    });
    const ended = new Promise((resolve) => child.once("exit", resolve));
    const overdue = setTimeout(() => child.kill("SIGABRT"), 30_000);
    await ended;
    clearTimeout(overdue);
    expect(child.signalCode).toBe("SIGKILL");
  });
});
