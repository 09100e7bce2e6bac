/**
 * What messages and rows cost in bytes and back, against another checkout of the project:
 * `git worktree add ../before COMMIT && node test/bench/codec.bench.ts ../before`. Both take turns, so that what else the machine
 * does hits both; of each, the fastest round counts.
 */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Binding } from "../../src/core/bindings/binding.ts";
import { incarnationOf } from "../../src/core/protocol/acquaintance.ts";
import type { Message } from "../../src/core/protocol/datagrams.ts";
import { ipv4 } from "../../src/core/wire/ipv4.ts";

const ROUNDS = 15;
const REPETITIONS = 20_000;
const secret = new Uint8Array(32).fill(3);
const [before = "."] = process.argv.slice(2);

interface Work {
  readonly name: string;
  readonly run: () => unknown;
}

const virtualEndpoint = { address: ipv4("10.64.0.1"), port: 434 };
const foreignAgent = { address: ipv4("192.0.2.1"), port: 434 };
const messages: readonly Message[] = [
  {
    type: "heartbeat",
    sentAtMs: 1_790_000_000_000,
    systemTimeMs: 1_790_000_000_001,
    isTimeCertain: true,
    health: "ready",
    announced: true,
    unfitCount: 1,
    heardUnfitCount: 2,
    membersDigest: 3,
    load: { ownedBindings: 1000, registrationsPerSecond: 95, eventLoopDelayMs: 12, storeQueue: 3 },
    takesLinkRelay: true,
    canStore: true,
    silent: [],
  },
  {
    type: "relay-request",
    requestId: 12_345_678,
    ingress: "ha1",
    hopLimit: 3,
    minimumGeneration: 7,
    source: foreignAgent,
    destination: virtualEndpoint,
    request: new Uint8Array(80).fill(3),
  },
  {
    type: "relay-reply",
    requestId: 12_345_678,
    generation: 7,
    backups: ["ha2", "ha3"],
    knownUntilMs: 1_790_000_600_000,
    boundUntilMs: 1_790_000_600_000,
    mobile: "ip:10.64.1.1",
    homeAddressSinceMs: 1_790_000_000_000,
    lease: undefined,
    destination: virtualEndpoint,
    reply: new Uint8Array(60).fill(3),
  },
];
const binding: Binding = {
  mobile: "ip:10.66.0.1",
  homeAddress: ipv4("10.66.0.1"),
  nai: undefined,
  homeAddressSinceMs: 1_790_000_000_000,
  dynamic: false,
  createdAtMs: 1_790_000_000_000,
  registration: {
    identification: 0xeeae_4567_dcd5_1000n,
    replayStyle: "timestamps",
    authenticator: "00112233445566778899aabbccddeeff",
    association: "10.64.1.0-10.79.255.254",
    code: 0,
    lifetimeSeconds: 1800,
    acceptedAtMs: 1_790_000_000_000,
    counter: 1,
    replayResets: 0,
    forgottenUntilMs: 0,
    decidedBy: "ha1",
    careOfAddresses: [
      {
        careOfAddress: foreignAgent.address,
        flags: 0,
        lifetimeSeconds: 1800,
        expiresAtMs: 1_790_001_800_000,
        foreignAgent,
        ingress: "ha1",
        identification: 0xeeae_4567_dcd5_1000n,
      },
    ],
    reservedUntilMs: 0,
    retainUntilMs: 1_790_003_600_000,
    replayableUntilMs: 1_790_003_600_000,
  },
  ownership: { owner: "ha1", backups: ["ha2", "ha3"], generation: 1 },
};

const sides = await Promise.all([before, "."].map(workOf));
const fastest = sides.map((works) => works.map(() => Number.POSITIVE_INFINITY));
for (let round = 0; round < ROUNDS; round++) {
  for (const [side, works] of sides.entries()) {
    for (const [index, { run }] of works.entries()) {
      const startMs = performance.now();
      for (let repetition = 0; repetition < REPETITIONS; repetition++) run();
      const nanoseconds = ((performance.now() - startMs) * 1e6) / REPETITIONS;
      const times = fastest[side] ?? [];
      times[index] = Math.min(times[index] ?? nanoseconds, nanoseconds);
    }
  }
}
for (const [index, { name }] of (sides[1] ?? []).entries()) {
  const [old = 0, now = 0] = fastest.map((times) => times[index]);
  process.stdout.write(
    `${name}: ${old.toFixed(0)} ns before, ${now.toFixed(0)} ns now: ${(now / old).toFixed(2)} times\n`,
  );
}

/** What is timed: sealing and opening go with the authenticator, as always. */
async function workOf(root: string): Promise<Work[]> {
  const load = (file: string) => import(pathToFileURL(resolve(root, "src/core", file)).href);
  const { FrameCodec } = await load("protocol/frame.ts");
  const { encodeStreamMessage, decodeStreamMessage } = await load("protocol/stream-codec.ts");
  const { encodeBindingRow, decodeBindingRow } = await load("bindings/binding-row.ts");
  const { encodeStreamFrame } = await load("protocol/stream-frame.ts");
  const member = (self: string, peer: string) =>
    new FrameCodec({ cluster: "lab", secret, self, peers: [peer], incarnation: incarnationOf(7, 1) });
  const [ha1, ha2] = [member("ha1", "ha2"), member("ha2", "ha1")];
  ha1.open(ha2.seal("ha1", messages[0]));
  const row = encodeBindingRow(binding);
  const rows = { type: "rows", number: 1, rows: Array.from({ length: 100 }, () => row) };
  // Where it makes a body, a frame is still to be made of it.
  const makesFrames = encodeStreamMessage({ type: "ack", number: 1 }).length > 9;
  const frameOf = (message: unknown) =>
    makesFrames ? encodeStreamMessage(message) : encodeStreamFrame(encodeStreamMessage(message));
  const body = frameOf(rows).subarray(4);
  return [
    ...messages.map((message) => ({
      name: `${message.type} sealed and opened`,
      run: () => ha2.open(ha1.seal("ha2", message)),
    })),
    {
      name: "ack encoded and decoded",
      run: () => decodeStreamMessage(frameOf({ type: "ack", number: 7 }).subarray(4)),
    },
    { name: "100 rows in a message, encoded", run: () => frameOf(rows) },
    { name: "100 rows in a message, decoded", run: () => decodeStreamMessage(body) },
    // Another object each time: the last one is remembered.
    { name: "a binding to a row", run: () => encodeBindingRow({ ...binding }) },
    { name: "a row to a binding", run: () => decodeBindingRow(row) },
  ];
}
