import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { HelperChannel } from "../../../../src/adapters/advertiser/exabgp/helper-channel.ts";
import type { DaemonMessage, HelperMessage } from "../../../../src/adapters/advertiser/exabgp/helper-protocol.ts";
import { waitFor } from "../../../../src/lab/wait.ts";

// Processes are started, on a machine that may be busy.
const RUN = "this-run";
const HELLO = {
  type: "hello",
  version: 1,
  run: RUN,
  pid: 2,
  speakerProcess: "1 1",
  speaker: "exabgp 4.2.21",
} satisfies HelperMessage;

/** A helper played by the test. */
class FakeHelper {
  readonly received: DaemonMessage[] = [];
  ended = false;
  readonly #socket: Socket;

  constructor(path: string) {
    this.#socket = connect(path);
    let rest = "";
    this.#socket.on("data", (chunk) => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.received.push(JSON.parse(line));
    });
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => {
      this.ended = true;
    });
  }

  send(message: HelperMessage): void {
    this.write(`${JSON.stringify(message)}\n`);
  }

  write(text: string): void {
    this.#socket.write(text);
  }

  close(): void {
    this.#socket.destroy();
  }

  get probes(): number {
    return this.received.filter((message) => message.type === "heartbeat" && message.probe !== undefined).length;
  }

  /** Answers every probe from now on. */
  obey(): void {
    this.#socket.on("data", () => {
      const last = this.received.at(-1);
      if (last?.type === "heartbeat" && last.probe !== undefined) this.send({ type: "alive", probe: last.probe });
    });
  }
}

let directory: string;
let path: string;
let log: string[];
let channel: HelperChannel;
const helpers: FakeHelper[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "anyhome-channel-"));
  path = join(directory, "helper.sock");
  log = [];
  channel = new HelperChannel(200, {
    joined: ({ speaker }) => log.push(`joined ${speaker}`),
    reported: ({ type }) => log.push(`reported ${type}`),
    left: (reason) => log.push(`left: ${reason}`),
  });
  await channel.listen(path);
});

afterEach(async () => {
  await channel.close();
  for (const helper of helpers.splice(0)) helper.close();
  rmSync(directory, { recursive: true, force: true });
});

function helper(): FakeHelper {
  const fake = new FakeHelper(path);
  helpers.push(fake);
  return fake;
}

function until(what: string, condition: () => boolean | undefined): Promise<boolean> {
  return waitFor(condition, { deadlineMs: 15_000, what, intervalMs: 2 });
}

async function joined(): Promise<FakeHelper> {
  channel.expect(RUN);
  const fake = helper();
  fake.send(HELLO);
  await until("the helper to join", () => log.includes("joined exabgp 4.2.21"));
  return fake;
}

test("greets a helper with the deadline, and sends it heartbeats more often than that", async () => {
  const fake = await joined();
  const since = performance.now();
  await until("heartbeats", () => fake.received.filter(({ type }) => type === "heartbeat").length === 8);
  expect(fake.received[0]).toEqual({ type: "hello", version: 1, deadlineMs: 200 });
  expect(performance.now() - since).toBeGreaterThan(200);
});

test("sends sets to the helper that has joined, and passes on what it reports", async () => {
  channel.set(1, []);
  const fake = await joined();
  channel.set(2, [{ announce: "a", withdraw: "w" }]);
  await until("the set", () => fake.received.some(({ type }) => type === "set"));
  expect(fake.received.filter(({ type }) => type === "set")).toEqual([
    { type: "set", sequence: 2, routes: [{ announce: "a", withdraw: "w" }] },
  ]);
  fake.send({ type: "applied", sequence: 2 });
  await until("the report", () => log.includes("reported applied"));
});

test("lets nobody in before a helper is expected", async () => {
  const fake = helper();
  await until("the end of the connection", () => fake.ended);
  expect(log).toEqual([]);
});

test("lets in nobody who names another start of ExaBGP, nor listens to who has not said hello", async () => {
  channel.expect(RUN);
  const stranger = helper();
  stranger.send({ ...HELLO, run: "another-run" });
  await until("the end of the connection", () => stranger.ended);
  const rude = helper();
  rude.send({ type: "applied", sequence: 1 });
  rude.send(HELLO);
  await until("the helper to join", () => log.length > 0);
  expect(log).toEqual(["joined exabgp 4.2.21"]);
});

test("says at once when the helper's connection ends", async () => {
  const fake = await joined();
  fake.close();
  await until("the end", () => log.includes("left: the helper closed its connection"));
});

test.each(["nonsense\n", '{"type":"alive"}\n', `${"x".repeat(9 << 20)}\n`])(
  "parts from a helper that makes no sense (%#)",
  async (line) => {
    const fake = await joined();
    fake.write(line);
    await until("the end", () => log.includes("left: the helper sent what is no message of the protocol"));
    await until("the end of the connection", () => fake.ended);
  },
);

test("lets no second helper in while the first is there", async () => {
  const first = await joined();
  const second = helper();
  second.send(HELLO);
  await until("the end of its connection", () => second.ended);
  expect(first.ended).toBe(false);
  channel.set(1, []);
  await until("the set", () => first.received.some(({ type }) => type === "set"));
});

test("tells a helper that belongs to another start of ExaBGP to end that, and so the joined one when asked to", async () => {
  const first = await joined();
  const stranger = helper();
  stranger.send({ ...HELLO, run: "another-run" });
  await until("the end of its connection", () => stranger.ended);
  expect(stranger.received.at(-1)).toMatchObject({ type: "end" });
  channel.end("enough");
  await until("the end of the connection", () => first.ended);
  expect(first.received.at(-1)).toEqual({ type: "end", reason: "enough" });
});

test("parts from a helper that answers no probe, and not from one that does", async () => {
  const good = await joined();
  good.obey();
  await until("seven probes", () => good.probes >= 7);
  expect(log).toEqual(["joined exabgp 4.2.21"]);
  log.length = 0;
  const bad = await joined();
  await until("the end", () => log.includes("left: 5 probes in a row had no answer"));
  expect(bad.probes).toBe(5);
});

test("passes on why a helper gives up", async () => {
  const fake = await joined();
  fake.send({ type: "error", message: "ExaBGP didn't answer" });
  await until("the end", () => log.includes("left: the helper gave up: ExaBGP didn't answer"));
});

test("says nothing when the connection is closed from this side", async () => {
  const fake = await joined();
  channel.dismiss();
  await until("the end of the connection", () => fake.ended);
  const other = helper();
  await until("the end of the connection", () => other.ended);
  expect(log).toEqual(["joined exabgp 4.2.21"]);
});

test("those who connect and say nothing make room for the helper, and whoever has joined stays", async () => {
  channel.expect(RUN);
  const idle = Array.from({ length: 4 }, helper);
  await until("the daemon to greet them", () => idle.every(({ received }) => received.length > 0));
  const early = helper();
  early.send(HELLO);
  await until("a fifth to be turned away", () => early.ended);
  await until("the idle to be ended", () => idle.every(({ ended }) => ended));
  const fake = helper();
  fake.send(HELLO);
  fake.obey();
  await until("the helper to join", () => log.includes("joined exabgp 4.2.21"));
  const later = helper();
  await until("another one to be ended", () => later.ended);
  expect(fake.ended).toBe(false);
  expect(log).toEqual(["joined exabgp 4.2.21"]);
});
