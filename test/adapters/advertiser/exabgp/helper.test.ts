/** The helper inside ExaBGP: applies what the daemon asks for, and withdraws everything when anything is wrong. */
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import type { RouteCommands } from "../../../../src/adapters/advertiser/exabgp/helper-protocol.ts";
import { waitFor } from "../../../../src/lab/wait.ts";
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

const ROUTERS = ["--neighbors", "192.0.2.1,192.0.2.2", "--prefixes", "10.64.0.0/12,10.64.0.1/32"];

/** Lines as ExaBGP 4.2.21 prints them. */
function line(type: string, peer: string, content: string): string {
  return `{ "exabgp": "4.0.1", "time": 1795414258.52, "host" : "ha1", "pid" : 9656, "ppid" : 1, "counter": 2, "type": "${type}", "neighbor": { "address": { "local": "192.0.2.11", "peer": "${peer}" }, "asn": { "local": 65011, "peer": 65001 } , ${content} } }`;
}

const state = (peer: string, to: string) => line("state", peer, `"state": "${to}"`);
const negotiated = (peer: string) =>
  line("negotiated", peer, '"negotiated": { "add_path": { "send": [  ], "receive": [ "ipv4 unicast" ] } }');
const nlris = (ids: readonly string[]) =>
  ids.map((id) => `{ "nlri": "10.64.0.0/12", "path-information": "${id}" }`).join(", ");

function update(peer: string, ids: readonly string[], med: number, padding?: string): string {
  const more = padding === undefined ? "" : `, "padding": "${padding}"`;
  const attribute = `"attribute": { "as-path": [ 65001 ], "med": ${med}${more} }`;
  const announce = `"announce": { "ipv4 unicast": { "192.0.2.9": [ ${nlris(ids)} ] } }, "mark": "10.64.0.0/12"`;
  return line("update", peer, `"direction": "receive", "message": { "update": { ${attribute}, ${announce} } }`);
}

function withdrawal(peer: string, ids: readonly string[]): string {
  const withdraw = `"withdraw": { "ipv4 unicast": [ ${nlris(ids)} ] }`;
  return line("update", peer, `"direction": "receive", "message": { "update": { ${withdraw} } }`);
}

describe.skipIf(skipped)("what it does for the daemon", () => {
  test("it withdraws what an earlier helper may have left before it says hello, and announces nothing by itself", async () => {
    const connection = await joined();
    expect(stage.exabgp.commands).toEqual([CLEAR, "version"]);
    expect(connection.received).toEqual([
      {
        type: "hello",
        version: 1,
        run: "this-run",
        pid: expect.any(Number),
        speakerProcess: expect.stringMatching(/^\d+ \d+$/),
        speaker: "exabgp 4.2.21",
      },
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
    stage = await Stage.open(obliging, ROUTERS);
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

describe.skipIf(skipped)("asked by the daemon to end ExaBGP", () => {
  test("it kills it, and ends with it", async () => {
    const connection = await announcing();
    connection.send({ type: "end", reason: "another configuration" });
    expect(await stage.exabgp.exited).toBe("SIGKILL");
    expect(stage.exabgp.complaints).toContain("the daemon asked for it (another configuration)");
  });
});

describe.skipIf(skipped)("what routers say", () => {
  const paths = (connection: Connection) =>
    connection.received.flatMap((message) =>
      message.type === "path" ? [[message.neighbor, message.pathId, message.attributes !== undefined]] : [],
    );

  test("is told as the paths there are now: announced, replaced, withdrawn", async () => {
    stage = await Stage.open(obliging, ROUTERS);
    const connection = await stage.joined();
    stage.exabgp.say(state("192.0.2.1", "up"), update("192.0.2.1", ["0.0.0.1", "0.0.0.2"], 5));
    const attributes = { "as-path": [65001], med: 5 };
    const told = { neighbor: "192.0.2.1", prefix: "10.64.0.0/12", nextHop: "192.0.2.9" };
    expect(await connection.receives("path", { pathId: "0.0.0.1" })).toEqual({
      type: "path",
      ...told,
      pathId: "0.0.0.1",
      attributes,
    });
    await connection.receives("path", { pathId: "0.0.0.2" });
    connection.received.length = 0;
    stage.exabgp.say(update("192.0.2.1", ["0.0.0.2"], 6), withdrawal("192.0.2.1", ["0.0.0.1"]));
    expect(await connection.receives("path", { pathId: "0.0.0.1" })).not.toHaveProperty("attributes");
    expect(await connection.receives("path", { pathId: "0.0.0.2" })).toMatchObject({ attributes: { med: 6 } });
  });

  test("of other prefixes, or from strangers, is not passed on", async () => {
    stage = await Stage.open(obliging, ROUTERS);
    const connection = await stage.joined();
    stage.exabgp.say(
      state("192.0.2.1", "up"),
      update("192.0.2.1", ["0.0.0.1"], 5).replace("10.64.0.0/12", "10.0.0.0/8"),
      update("192.0.2.1", ["0.0.0.7"], 5),
    );
    await connection.receives("path");
    expect(paths(connection)).toEqual([["192.0.2.1", "0.0.0.7", true]]);
  });

  test("is told again to a daemon that joins later, as it is by then", async () => {
    stage = await Stage.open(obliging, ROUTERS);
    stage.exabgp.say(state("192.0.2.1", "up"), update("192.0.2.1", ["0.0.0.1", "0.0.0.2"], 5));
    const first = await stage.joined();
    await first.receives("path", { pathId: "0.0.0.2" });
    first.close();
    stage.exabgp.say(withdrawal("192.0.2.1", ["0.0.0.1"]));
    const second = await stage.joined();
    await second.receives("path", { pathId: "0.0.0.2" });
    expect(second.received.slice(1).map(({ type }) => type)).toEqual(["event", "path"]);
  });

  test("ends with the session it was said in", async () => {
    stage = await Stage.open(obliging, ROUTERS);
    stage.exabgp.say(
      state("192.0.2.1", "up"),
      update("192.0.2.1", ["0.0.0.1"], 5),
      negotiated("192.0.2.1"),
      state("192.0.2.1", "down"),
      negotiated("192.0.2.1"),
      state("192.0.2.1", "up"),
      update("192.0.2.1", ["0.0.0.2"], 5),
    );
    const connection = await stage.joined();
    await connection.receives("path", { pathId: "0.0.0.2" });
    expect(connection.received.slice(1)).toMatchObject([
      { type: "event", line: negotiated("192.0.2.1") },
      { type: "event", line: state("192.0.2.1", "up") },
      { type: "path", pathId: "0.0.0.2" },
    ]);
  });

  test.each([
    ["what can't be read", '{ "type": "update", "10.64.0.0/12"'],
    ["a path id that is none", update("192.0.2.1", ["x".repeat(100)], 5)],
    ["attributes that are too long", update("192.0.2.1", ["0.0.0.1"], 5, "x".repeat(9000))],
    ["a number that is none in JSON, though Python reads it", update("192.0.2.1", ["0.0.0.1"], Number.NaN)],
    ["a number that is infinite", update("192.0.2.1", ["0.0.0.1"], 5).replace('"med": 5', '"med": -1e999')],
    ["an announcement that is no object", update("192.0.2.1", [], 5).replace('"announce": {', '"announce": 7, "x": {')],
  ])("and makes no sense is told as lost: %s", async (_, line) => {
    stage = await Stage.open(obliging, ROUTERS);
    const connection = await stage.joined();
    stage.exabgp.say(state("192.0.2.1", "up"), line);
    await connection.receives("dropped", { neighbor: "192.0.2.1" });
    expect(paths(connection)).toEqual([]);
    expect(connection.ended).toBe(false);
  });

  test("is bounded: of 600 paths, 512 are kept, and that there were more is told, also to who joins later", async () => {
    stage = await Stage.open(obliging, ROUTERS);
    const first = await stage.joined();
    const ids = Array.from({ length: 600 }, (_, index) => `0.0.${index >> 8}.${index & 255}`);
    stage.exabgp.say(state("192.0.2.1", "up"), ...ids.map((id) => update("192.0.2.1", [id], 5)));
    await first.receives("dropped", { neighbor: "192.0.2.1" });
    await stage.until("the paths", () => paths(first).length >= 512);
    first.close();
    const second = await stage.joined();
    await stage.until("the paths", () => paths(second).length >= 512);
    expect(paths(second)).toHaveLength(512);
    expect(await second.receives("dropped")).toMatchObject({ events: 88 });
  });

  test("and changes faster than the daemon reads is told by its last state; nothing of it is lost", async () => {
    stage = await Stage.open(obliging, ROUTERS);
    const connection = await stage.joined();
    connection.hang();
    stage.exabgp.say(state("192.0.2.1", "up"));
    const ids = Array.from({ length: 100 }, (_, index) => `0.0.0.${index}`);
    for (let round = 0; round < 300; round++) {
      stage.exabgp.say(
        ...ids.map((id) => (round % 2 ? withdrawal("192.0.2.1", [id]) : update("192.0.2.1", [id], round))),
      );
      await stage.until("the helper to drain", () => stage.exabgp.unreadBytes === 0);
    }
    stage.exabgp.say(...ids.map((id) => update("192.0.2.1", [id], 1000)));
    connection.resume();
    await stage.until("the last state of each path", () => {
      const last = new Map(
        connection.received.flatMap((it) => (it.type === "path" ? [[it.pathId, it.attributes]] : [])),
      );
      return last.size === 100 && [...last.values()].every((it) => (it as { med?: number } | undefined)?.med === 1000);
    });
    expect(connection.received.filter(({ type }) => type === "dropped")).toEqual([]);
    expect(paths(connection).length).toBeLessThan(20_000);
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

describe.skipIf(skipped || process.platform !== "linux")("a helper that stands still", () => {
  test("is killed by the kernel, though it is stopped and takes no other signal: another withdraws in its place", async () => {
    const connection = await announcing();
    process.kill((await connection.receives("hello")).pid, "SIGSTOP");
    expect(await stage.exabgp.exited).toBe(128 + constants.signals.SIGKILL);
    expect(connection.received.map(({ type }) => type)).toEqual(["hello", "applied"]);
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
