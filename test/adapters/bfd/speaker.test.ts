import { type ChildProcess, fork } from "node:child_process";
import { randomInt } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Diagnostic, encodeControlPacket } from "../../../src/adapters/bfd/control-packet.ts";
import { BfdSpeaker } from "../../../src/adapters/bfd/speaker.ts";
import { Counters } from "../../../src/adapters/telemetry/counters.ts";
import { ipv4 } from "../../../src/core/wire/ipv4.ts";
import { waitFor } from "../../../src/lab/wait.ts";

const CHILD = fileURLToPath(new URL("./speaker-child.ts", import.meta.url));
/** A module to be imported first, that makes koffi one that isn't installed. */
const WITHOUT_FFI = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from "node:module";
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier === "koffi") throw new Error("no koffi here");
      return next(specifier, context);
    },
  });
`)}`;
const patience = { deadlineMs: 20_000, intervalMs: 10 };

/** Loopback addresses that nobody else is likely to have: the port is always the same. */
const network = `127.${randomInt(1, 255)}.${randomInt(1, 255)}`;
const LOCAL = `${network}.1`;
const NEIGHBOR = `${network}.2`;

describe.skipIf(process.platform !== "linux")("a speaker and one in another process", () => {
  let events: { readonly event: string; readonly fields: object }[];
  let counters: Counters;
  let speaker: BfdSpeaker;
  let child: ChildProcess;

  /** Its port is free then. */
  async function endChild(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }

  const state = () => speaker.neighbors[0]?.state;
  const isUp = () => waitFor(() => state() === "up", { ...patience, what: "the session to be up" });
  const eventsOf = (name: string) => events.filter(({ event }) => event === name);

  beforeEach(async () => {
    events = [];
    counters = new Counters();
    speaker = new BfdSpeaker(
      {
        localAddress: ipv4(LOCAL),
        neighbors: [ipv4(NEIGHBOR)],
        transmitIntervalMs: 50,
        receiveIntervalMs: 50,
        detectMultiplier: 20,
        heartbeatTimeoutMs: 4000,
      },
      { event: (event, fields) => void events.push({ event, fields: fields ?? {} }) },
      counters,
    );
    speaker.start();
    child = fork(CHILD, [LOCAL, NEIGHBOR].reverse());
  });

  afterEach(async () => {
    await endChild();
    await speaker.stop();
  });

  test("come up, and agree on their timers", async () => {
    await isUp();
    await waitFor(() => speaker.neighbors[0]?.detectionTimeMs === 1000, { ...patience, what: "fast timers" });
    expect(speaker.neighbors).toMatchObject([{ address: NEIGHBOR, state: "up", transmitIntervalMs: 50 }]);
    expect(speaker.neighbors[0]).not.toHaveProperty("reason");
    expect(eventsOf("bfd-up")).toMatchObject([{ fields: { neighbor: NEIGHBOR } }]);
  });

  test("lose the session when the other is killed, and say so once", async () => {
    await isUp();
    child.kill("SIGKILL");
    await waitFor(() => state() === "down", { ...patience, what: "the session to be down" });
    expect(speaker.neighbors[0]?.reason).toBe("the detection time has expired");
    expect(eventsOf("bfd-down")).toMatchObject([{ fields: { neighbor: NEIGHBOR } }]);
    expect(counters.snapshot()["bfd-sessions-lost"]).toEqual({ [NEIGHBOR]: 1 });
  });

  test("lose the session when the other's main loop stands still, though its worker could speak; it comes back", async () => {
    await isUp();
    child.send(3000);
    await waitFor(() => state() !== "up", { ...patience, what: "the session to be down" });
    expect(speaker.neighbors[0]?.reason).toBe("the neighbor signaled it down: the path is down");
    await isUp();
  });

  test("are told when the other ends in order", async () => {
    await isUp();
    child.send("stop");
    await waitFor(() => state() !== "up", { ...patience, what: "the session to be down" });
    expect(speaker.neighbors[0]?.reason).toBe("the neighbor signaled it down: administratively down");
  });

  test("count what is for none of their sessions", async () => {
    await isUp();
    await sendFrom(NEIGHBOR, Buffer.from("no packet"), 255);
    await isCounted();
    expect(counters.snapshot()["bfd-packets-dropped"]).toEqual({ "wrong-length": 1 });
  });

  test("hear nothing that was forwarded: with a TTL below 255, a forged Down ends no session", async () => {
    await isUp();
    const down = encodeControlPacket({
      diagnostic: Diagnostic.none,
      state: "down",
      poll: false,
      final: false,
      controlPlaneIndependent: false,
      demand: false,
      detectMultiplier: 3,
      myDiscriminator: 7,
      yourDiscriminator: 0,
      desiredMinTxUs: 1_000_000,
      requiredMinRxUs: 1_000_000,
      requiredMinEchoRxUs: 0,
    });
    await sendFrom(NEIGHBOR, down, 254);
    // What comes after it has been heard.
    await sendFrom(NEIGHBOR, Buffer.from("no packet"), 255);
    await isCounted();
    expect(state()).toBe("up");
    expect(eventsOf("bfd-ttl-unchecked")).toEqual([]);
    await sendFrom(NEIGHBOR, down, 255);
    await waitFor(() => eventsOf("bfd-down").length > 0, { ...patience, what: "the forger on the link to succeed" });
  });

  test("do without a check of the TTL where there is no FFI, and say so once, however often they start", async () => {
    await endChild();
    const squatter = await squat(NEIGHBOR);
    child = fork(CHILD, [NEIGHBOR, LOCAL], { execArgv: ["--import", WITHOUT_FFI] });
    const said: unknown[] = [];
    child.on("message", (event) => said.push(event));
    await waitFor(() => said.includes("bfd-failed"), { ...patience, what: "the first start to fail" });
    squatter.close();
    await waitFor(() => said.includes("bfd-up"), { ...patience, what: "the session to be up" });
    expect(said.filter((event) => event === "bfd-ttl-unchecked")).toHaveLength(1);
  });

  const isCounted = () =>
    waitFor(() => Object.keys(counters.snapshot()["bfd-packets-dropped"]).length > 0, {
      ...patience,
      what: "the drop to be counted",
    });
});

/** Takes the port of a speaker. */
async function squat(address: string): Promise<Socket> {
  const squatter = createSocket("udp4");
  squatter.bind({ address, port: 3784, exclusive: true });
  await once(squatter, "listening");
  return squatter;
}

async function sendFrom(address: string, payload: Uint8Array, ttl: number): Promise<void> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, address, resolve));
  socket.setTTL(ttl);
  await new Promise<void>((resolve) => socket.send(payload, 3784, LOCAL, () => socket.close(resolve)));
}

test("a speaker whose port is taken says so once, tries again, and comes up when it is free", async () => {
  const local = `${network}.3`;
  const squatter = await squat(local);
  const events: string[] = [];
  const speaker = new BfdSpeaker(
    {
      localAddress: ipv4(local),
      neighbors: [ipv4(local)],
      transmitIntervalMs: 50,
      receiveIntervalMs: 50,
      detectMultiplier: 20,
      heartbeatTimeoutMs: 1000,
    },
    { event: (event) => void events.push(event) },
    new Counters(),
  );
  speaker.start();
  try {
    await waitFor(() => speaker.neighbors[0]?.reason?.includes("EADDRINUSE"), { ...patience, what: "the failure" });
    expect(events).toEqual(["bfd-failed"]);
    squatter.close();
    // It hears itself.
    await waitFor(() => speaker.neighbors[0]?.reason === undefined, { ...patience, what: "another start" });
  } finally {
    await speaker.stop();
  }
});
