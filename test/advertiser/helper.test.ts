/** The helper inside ExaBGP: applies what the daemon asks for, and withdraws everything when anything is wrong. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import type { RouteCommands } from "../../src/advertiser/helper-protocol.ts";
import { waitFor } from "../../src/lab/wait.ts";
import { type Answer, type Connection, obliging, pythonObstacle, Stage } from "./helper-harness.ts";

// Processes are started, on a machine that may be busy.
const CLEAR = "clear adj-rib out";

function route(prefix: string, attributes = ""): RouteCommands {
  return {
    announce: `neighbor 192.0.2.1 announce route ${prefix} next-hop self${attributes}`,
    withdraw: `neighbor 192.0.2.1 withdraw route ${prefix} next-hop self`,
  };
}

const NETWORK = route("10.64.0.0/12");

const skipped = pythonObstacle !== undefined && !process.env.CI;
if (skipped) process.stderr.write(`\nSKIPPED: the tests of the helper inside ExaBGP, because ${pythonObstacle}\n\n`);

let stage: Stage;
afterEach(() => stage.close());

async function joined(answer: Answer = obliging, deadlineMs?: number): Promise<Connection> {
  stage = await Stage.open(answer);
  return stage.joined(deadlineMs);
}

async function announcing(answer: Answer = obliging, deadlineMs?: number): Promise<Connection> {
  const connection = await joined(answer, deadlineMs);
  connection.send({ type: "set", sequence: 1, routes: [NETWORK] });
  await connection.receives("applied", { sequence: 1 });
  return connection;
}

function untilNothingIsAnnounced(): Promise<void> {
  return stage.until("everything to be withdrawn", () => stage.exabgp.announced.size === 0);
}

describe.skipIf(skipped)("what it does for the daemon", () => {
  test("it withdraws what an earlier helper may have left before it says hello, and announces nothing by itself", async () => {
    const connection = await joined();
    expect(stage.exabgp.commands).toEqual([CLEAR, "version"]);
    expect(connection.received).toEqual([
      { type: "hello", version: 1, run: "this-run", pid: expect.any(Number), speaker: "exabgp 4.2.21" },
    ]);
  });

  test("a set is applied with withdrawals first, and what is already announced is left alone", async () => {
    const connection = await joined();
    const [kept, dropped, changed] = [route("10.0.0.0/8"), route("10.1.0.0/16"), route("10.2.0.0/16")];
    connection.send({ type: "set", sequence: 1, routes: [kept, dropped, changed] });
    await connection.receives("applied", { sequence: 1 });
    const before = stage.exabgp.commands.length;
    const drained = route("10.2.0.0/16", " community [65535:0]");
    connection.send({ type: "set", sequence: 2, routes: [kept, drained] });
    await connection.receives("applied", { sequence: 2 });
    expect(stage.exabgp.commands.slice(before)).toEqual([dropped.withdraw, drained.announce]);
  });

  test("whatever sets come, in the end exactly the last one is announced, one command at a time", async () => {
    const connection = await joined();
    const sets = fc.uniqueArray(
      fc.record({ prefix: fc.integer({ min: 0, max: 5 }), med: fc.integer({ max: 2, min: 1 }) }),
      {
        selector: ({ prefix }) => prefix,
      },
    );
    let sequence = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(sets, { minLength: 1, maxLength: 4 }), async (burst) => {
        for (const set of burst) {
          sequence += 1;
          const routes = set.map(({ prefix, med }) => route(`10.${prefix}.0.0/16`, ` med ${med}`));
          connection.send({ type: "set", sequence, routes });
        }
        await connection.receives("applied", { sequence });
        const wanted = (burst.at(-1) ?? []).map(
          ({ prefix, med }) => route(`10.${prefix}.0.0/16`, ` med ${med}`).announce,
        );
        expect([...stage.exabgp.announced.values()].sort()).toEqual(wanted.sort());
      }),
      { numRuns: 40 },
    );
    expect(stage.exabgp.impatient).toEqual([]);
  });

  test("a set that comes while ExaBGP still works on the one before replaces it", async () => {
    const connection = await joined((command) => (command.includes("10.1.0.0/16") ? undefined : obliging(command)));
    connection.send({ type: "set", sequence: 1, routes: [route("10.1.0.0/16"), route("10.2.0.0/16")] });
    await stage.until("the first announcement", () => stage.exabgp.announced.has("10.1.0.0/16"));
    stage.exabgp.answer = obliging;
    connection.send({ type: "set", sequence: 2, routes: [NETWORK] });
    stage.exabgp.say("done");
    await connection.receives("applied", { sequence: 2 });
    expect([...stage.exabgp.announced.keys()]).toEqual(["10.64.0.0/12"]);
    expect(stage.exabgp.commands).not.toContain(route("10.2.0.0/16").announce);
  });

  test("messages and replies may come in any pieces", async () => {
    const connection = await joined();
    const messages = `${JSON.stringify({ type: "set", sequence: 7, routes: [NETWORK] })}\n{"type":"heartbeat","probe":3}\n`;
    stage.exabgp.answer = (command) => {
      for (const byte of `{"type": "state"}\n${command === "version" ? "exabgp 4.2.21\n" : ""}`)
        stage.exabgp.write(byte);
      return ["done"];
    };
    for (const byte of messages) connection.write(byte);
    await connection.receives("applied", { sequence: 7 });
    await connection.receives("alive", { probe: 3 });
    await connection.receives("event", { line: '{"type": "state"}' });
  });

  test("a probe is answered when ExaBGP has answered one", async () => {
    const connection = await joined((command) => (command === "#" ? undefined : obliging(command)));
    connection.send({ type: "heartbeat", probe: 5 });
    await stage.until("the probe", () => stage.exabgp.commands.includes("#"));
    expect(connection.received.map(({ type }) => type)).not.toContain("alive");
    stage.exabgp.say("done");
    await connection.receives("alive", { probe: 5 });
  });

  test("events are passed on as they are, and the last state of each session again to who joins later", async () => {
    const state = (peer: string, to: string) =>
      `{ "type": "state", "neighbor": { "address": { "local": "192.0.2.11", "peer": "${peer}" }, "state": "${to}" } }`;
    stage = await Stage.open();
    stage.exabgp.say(state("192.0.2.1", "connected"), state("192.0.2.1", "up"), state("192.0.2.2", "down"));
    const first = await stage.joined();
    await first.receives("event", { line: state("192.0.2.1", "up") });
    await first.receives("event", { line: state("192.0.2.2", "down") });
    stage.exabgp.say(state("192.0.2.2", "up"));
    await first.receives("event", { line: state("192.0.2.2", "up") });
    first.close();
    const second = await stage.joined();
    await second.receives("event", { line: state("192.0.2.2", "up") });
    expect(second.received.slice(1)).toEqual(
      ["192.0.2.1", "192.0.2.2"].map((peer) => ({ type: "event", line: state(peer, "up") })),
    );
  });
});

describe.skipIf(skipped)("when the daemon fails", () => {
  test("everything is withdrawn when its connection ends, and announced again only when a daemon asks", async () => {
    const connection = await announcing();
    const before = stage.exabgp.commands.length;
    connection.close();
    await untilNothingIsAnnounced();
    const next = await stage.joined();
    next.send({ type: "heartbeat", probe: 1 });
    await next.receives("alive");
    expect(stage.exabgp.commands.slice(before)).toEqual([CLEAR, "#"]);
    next.send({ type: "set", sequence: 1, routes: [NETWORK] });
    await next.receives("applied");
    expect(stage.exabgp.announced.size).toBe(1);
  });

  test("everything is withdrawn when it is silent; heartbeats don't bring it back, a set does", async () => {
    const connection = await announcing(obliging, 200);
    await untilNothingIsAnnounced();
    expect(await connection.receives("lapsed")).toMatchObject({ silentMs: 200 });
    connection.send({ type: "heartbeat", probe: 1 });
    await connection.receives("alive");
    expect(stage.exabgp.announced.size).toBe(0);
    connection.hello();
    connection.send({ type: "set", sequence: 2, routes: [NETWORK] });
    await connection.receives("applied", { sequence: 2 });
    expect(stage.exabgp.announced.size).toBe(1);
  });

  test("heartbeats keep the announcement", async () => {
    // Long, as the machine may pause for a while between two heartbeats.
    const deadlineMs = 2000;
    const connection = await announcing(obliging, deadlineMs);
    const before = stage.exabgp.commands.length;
    const end = performance.now() + 1.5 * deadlineMs;
    for (let probe = 1; performance.now() < end; probe += 1) {
      connection.send({ type: "heartbeat", probe });
      await connection.receives("alive", { probe });
    }
    expect(new Set(stage.exabgp.commands.slice(before))).toEqual(new Set(["#"]));
  });

  const hello = '{"type":"hello","version":1,"deadlineMs":60000}';
  const set = (fields: object) => JSON.stringify({ type: "set", sequence: 2, routes: [], ...fields });
  test.each([
    ["no JSON", "nonsense"],
    ["no text", Buffer.from([0xff, 0xfe, 0x00, 0x0a]).toString("latin1")],
    ["no object", "[1]"],
    ["endless nesting", "[".repeat(100_000)],
    ["a line without end", `"${"x".repeat(1_100_000)}`],
    ["an unknown type", '{"type":"shutdown"}'],
    ["another version", hello.replace('"version":1', '"version":2')],
    ["a deadline of 0", hello.replace("60000", "0")],
    ["a deadline that is no number", hello.replace("60000", "true")],
    ["a set without a sequence", set({ sequence: undefined })],
    ["a set without routes", set({ routes: undefined })],
    ["a route without a command", set({ routes: [{ withdraw: NETWORK.withdraw }] })],
    ["a route that is another command", set({ routes: [{ ...NETWORK, announce: "shutdown" }] })],
    ["a withdrawal that announces", set({ routes: [{ ...NETWORK, withdraw: NETWORK.announce }] })],
    ["two commands in one", set({ routes: [{ ...NETWORK, announce: `${NETWORK.announce}\nshutdown` }] })],
    ["too many routes", set({ routes: new Array(1025).fill(NETWORK) })],
  ])("%s: is answered by an error, and by the withdrawal of everything", async (_, line) => {
    const connection = await announcing();
    connection.write(`${line}\n`);
    await connection.receives("error");
    await stage.until("the end of the connection", () => connection.ended);
    await untilNothingIsAnnounced();
    await stage.joined();
    expect(stage.exabgp.commands.join()).not.toContain("shutdown");
  });

  test("a message before hello is refused", async () => {
    stage = await Stage.open();
    const connection = await stage.connection();
    connection.send({ type: "set", sequence: 1, routes: [NETWORK] });
    await stage.until("the end of the connection", () => connection.ended);
    await stage.joined();
    expect(stage.exabgp.commands).not.toContain(NETWORK.announce);
  });
});

describe.skipIf(skipped)("when ExaBGP fails", () => {
  test("the helper ends with it, which the daemon sees", async () => {
    const connection = await announcing();
    stage.exabgp.end();
    await stage.until("the end of the connection", () => connection.ended);
    expect(await stage.exabgp.exited).toBe(0);
  });

  test("a refused announcement withdraws everything and is told", async () => {
    const refused = route("10.1.0.0/16");
    const connection = await announcing((command) => (command === refused.announce ? ["error"] : obliging(command)));
    connection.send({ type: "set", sequence: 2, routes: [NETWORK, refused] });
    expect(await connection.receives("refused")).toEqual({ type: "refused", command: refused.announce });
    await stage.until("the withdrawal", () => stage.exabgp.commands.at(-1) === CLEAR);
    expect(connection.received.map(({ type }) => type)).toEqual(["hello", "applied", "refused"]);
  });

  test("an ExaBGP that refuses to withdraw is killed", async () => {
    const connection = await announcing();
    stage.exabgp.answer = () => ["error"];
    connection.close();
    expect(await stage.exabgp.exited).toBe("SIGKILL");
  });

  test("an ExaBGP that doesn't answer is killed", async () => {
    stage = await Stage.open(obliging, ["--reply-ms", "200"]);
    const connection = await stage.joined();
    stage.exabgp.answer = () => undefined;
    connection.send({ type: "set", sequence: 1, routes: [NETWORK] });
    expect(await stage.exabgp.exited).toBe("SIGKILL");
    expect(connection.received).toContainEqual({
      type: "error",
      message: `ExaBGP didn't answer '${NETWORK.announce}'`,
    });
  });

  test("a parent that never answered like an ExaBGP is not killed", async () => {
    stage = await Stage.open(() => undefined, ["--reply-ms", "200"]);
    expect(await stage.exabgp.exited).toBe(1);
  });

  test("lines that answer nothing change nothing: a neighbor can make ExaBGP print them", async () => {
    const connection = await announcing();
    const before = stage.exabgp.commands.length;
    stage.exabgp.write("error\ndone\nexabgp 6.6.6\n\u0000garbage\n\n{ broken\n\xff\xfe\n");
    await connection.receives("event", { line: "{ broken" });
    connection.send({ type: "set", sequence: 2, routes: [NETWORK] });
    await connection.receives("applied", { sequence: 2 });
    expect(stage.exabgp.commands.slice(before)).toEqual([]);
    expect(connection.received.filter(({ type }) => type === "event").slice(0, 3)).toEqual(
      ["error", "done", "exabgp 6.6.6"].map((line) => ({ type: "event", line })),
    );
  });

  test("a version reply is not needed", async () => {
    const connection = await joined((command) => (command === "version" ? ["error"] : obliging(command)));
    expect(connection.received).toMatchObject([{ type: "hello", speaker: "unknown" }]);
  });

  test.runIf(process.platform === "linux")(
    "a flood of lines that nobody reads is drained, within bounded memory, and told of",
    async () => {
      const connection = await announcing();
      const { pid } = await connection.receives("hello");
      connection.hang();
      const line = `{ "type": "state", "padding": "${"x".repeat(1000)}" }\n`;
      for (let sent = 0; sent < 40_000_000; sent += line.length * 100) {
        stage.exabgp.write(line.repeat(100));
        await waitFor(() => stage.exabgp.unreadBytes === 0, {
          deadlineMs: 10_000,
          what: "the helper to drain",
          intervalMs: 1,
        });
      }
      stage.exabgp.write(`${"y".repeat(3_000_000)}\n`);
      const resident = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
      expect(Number(resident)).toBeLessThan(60_000);
      connection.resume();
      connection.send({ type: "set", sequence: 2, routes: [] });
      await connection.receives("applied", { sequence: 2 });
      stage.exabgp.say("{}");
      expect((await connection.receives("dropped")).events).toBeGreaterThan(30_000);
      expect(connection.received.filter(({ type }) => type === "event").length).toBeLessThan(2000);
    },
  );
});
