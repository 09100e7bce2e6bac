/** Relaying by MAC address between home agents on one link, in frames that were captured on it. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { BindingPage } from "../../src/adapters/api/bindings.ts";
import type { PeerView } from "../../src/adapters/api/members.ts";
import { deriveFrameKey } from "../../src/core/auth/cluster-key.ts";
import type { RelayReply, RelayRequest } from "../../src/core/protocol/datagrams.ts";
import { openFrame } from "../../src/core/protocol/frame.ts";
import { formatEndpoint, formatIpv4 } from "../../src/core/wire/ipv4.ts";
import { decodeRegistrationRequest } from "../../src/core/wire/registration-message.ts";
import { readiness } from "../../src/lab/home-agent.ts";
import type { Lab } from "../../src/lab/namespaces/lab.ts";
import { nodeAddress } from "../../src/lab/plan/topology.ts";
import { installedNextHops } from "./frr-tables.ts";
import { waitFor, withLab } from "./harness.ts";
import { type CapturedDatagram, PacketCapture } from "./packet-capture.ts";

const HOME_AGENTS = ["ha1", "ha2", "ha3"];
const VIRTUAL_ADDRESS = "10.64.0.1";

interface Relayed<M> {
  readonly from: string;
  readonly to: string;
  readonly message: M;
  readonly datagram: CapturedDatagram;
}

/** A reply, and the request that the owner received for it, straight from the ingress or passed on by a third member. */
interface Exchange {
  readonly request: Relayed<RelayRequest>;
  readonly reply: Relayed<RelayReply>;
}

withLab(
  "home agents that relay by MAC address",
  (lab) => {
    // The bridge of the link that they share.
    const capture = new PacketCapture(lab, "r1", "udp port 4340");
    let exchanges: Exchange[] = [];
    const macs = new Map<string, string>();

    beforeAll(async () => {
      for (const node of HOME_AGENTS) macs.set(node, await macOf(lab, node));
    });
    afterAll(() => capture.discard());

    test("register mobiles, whoever is ingress and owner", async () => {
      let round = 10;
      const haveAllRelayed = async () => {
        await capture.discard();
        await capture.start();
        // New mobiles each time: those that have registered have their owners.
        expect(await load(lab, `10.64.${round++}.0`, 100)).toMatchObject({ accepted: 100 });
        exchanges = exchangesIn(lab, await capture.datagrams());
        const pairs = new Set(exchanges.map(({ reply }) => `${reply.from} ${reply.to}`));
        return pairs.size === 6 && exchanges.length > 20;
      };
      // A capture on a busy machine may begin late.
      await waitFor(haveAllRelayed, { deadlineMs: 60_000, what: "each home agent to relay to each other one" });
    });

    test("send the relayed request to the MAC address of the owner (claims 10, 58) and the virtual address (12, 60)", async () => {
      const owners = await ownersOf(lab);
      for (const { request } of exchanges) {
        const asked = decodeRegistrationRequest(request.message.request);
        expect(owners.get(asked.ok ? formatIpv4(asked.message.homeAddress) : "")).toBe(request.to);
        expect(request.datagram.destinationMac).toBe(macs.get(request.to));
        expect(request.datagram.destination).toBe(VIRTUAL_ADDRESS);
        expect(formatEndpoint(request.message.destination)).toBe(`${VIRTUAL_ADDRESS}:434`);
      }
    });

    test("send the relayed reply to the MAC address of the ingress (claims 11, 59) and the virtual address (13, 14, 61, 62)", () => {
      for (const { request, reply } of exchanges) {
        expect(reply.to).toBe(request.message.ingress);
        expect(reply.datagram.destinationMac).toBe(macs.get(reply.to));
        expect(reply.datagram.destination).toBe(VIRTUAL_ADDRESS);
        expect(formatEndpoint(reply.message.destination)).toBe(`${VIRTUAL_ADDRESS}:434`);
      }
    });

    test("send from their own MAC and IP addresses, with right checksums", () => {
      for (const { from, datagram } of exchanges.flatMap(({ request, reply }) => [request, reply])) {
        expect(datagram.sourceMac).toBe(macs.get(from));
        expect(datagram.source).toBe(nodeAddress(lab.node(from)));
        expect(datagram.hasRightChecksums).toBe(true);
      }
    });

    test("say so in `anyhome peers`", async () => {
      for (const node of HOME_AGENTS) {
        const peers = await ask<PeerView[]>(lab, node, "peers");
        expect(peers.map(({ id, relay }) => [id, relay])).toEqual(
          HOME_AGENTS.map((id) => [id, id === node ? null : { addressing: "l2", reason: null }]),
        );
      }
    });

    test("relay by IP address where one may not send frames, tell so once for each peer, and go on registering", async () => {
      await lab.kill("ha1", "daemon", "SIGKILL");
      lab.spawn("ha1", ["setpriv", "--bounding-set=-net_raw", "--", "anyhome", "run"], "without-frames");
      await waitFor(async () => (await readiness(lab.place.node("ha1").controlSocket)).ready, {
        deadlineMs: 60_000,
        what: "ha1 to be ready again",
      });
      await waitFor(async () => (await installedNextHops(lab, "r1")).length === 3, {
        deadlineMs: 60_000,
        what: "r1 to route to ha1 again",
      });
      expect(await load(lab, "10.64.2.0", 100)).toMatchObject({ sent: 100, accepted: 100 });
      const reason = "no frames can be sent: socket: EPERM";
      const peers = await ask<PeerView[]>(lab, "ha1", "peers");
      expect(peers.map(({ relay }) => relay)).toEqual([
        null,
        { addressing: "l3", reason },
        { addressing: "l3", reason },
      ]);
      const counters = await ask<Record<string, Record<string, number>>>(lab, "ha1", "counters");
      expect(counters["relay-frames-sent"]?.l3).toBeGreaterThan(0);
      expect(counters["relay-frames-sent"]?.l2).toBeUndefined();
      const told = logOf(lab, "ha1", "without-frames").filter(({ event }) => event === "relay-by-ip");
      expect(told.map(({ member }) => member).toSorted()).toEqual(["ha2", "ha3"]);
      expect(told.every((line) => line.reason === reason)).toBe(true);
      // The others still send it frames, which it takes.
      expect((await ask<PeerView[]>(lab, "ha2", "peers"))[0]?.relay).toEqual({ addressing: "l2", reason: null });
    });
  },
  { relay: "l2" },
);

function load(lab: Lab, firstHomeAddress: string, mobiles: number) {
  const options = ["--mobiles", String(mobiles), "--first-home-address", firstHomeAddress, "--rate", "200"];
  return ask<{ sent: number; accepted: number }>(lab, "fa1", "mn", "load", ...options);
}

/** Frames are opened by the keys of whom they are for. */
function exchangesIn(lab: Lab, datagrams: readonly CapturedDatagram[]): Exchange[] {
  const secret = readFileSync(lab.place.secret);
  const requests: Relayed<RelayRequest>[] = [];
  const exchanges: Exchange[] = [];
  for (const datagram of datagrams) {
    for (const self of HOME_AGENTS) {
      const frame = openFrame(datagram.payload, (sender) => deriveFrameKey(secret, "lab", sender, self));
      if (typeof frame === "string") continue;
      const { sender: from, message } = frame;
      if (message.type === "relay-request") requests.push({ from, to: self, message, datagram });
      if (message.type !== "relay-reply") continue;
      const request = requests.find(
        (it) => it.to === from && it.message.ingress === self && it.message.requestId === message.requestId,
      );
      expect(request).toBeDefined();
      if (request) exchanges.push({ request, reply: { from, to: self, message, datagram } });
    }
  }
  return exchanges;
}

async function ownersOf(lab: Lab): Promise<Map<string, string>> {
  const owned = await Promise.all(
    HOME_AGENTS.map(async (node) => {
      const bindings = await ask<BindingPage["bindings"]>(lab, node, "bindings", "list");
      return bindings.filter(({ owner }) => owner === node);
    }),
  );
  return new Map(owned.flat().map(({ homeAddress, owner }) => [homeAddress, owner]));
}

async function macOf(lab: Lab, node: string): Promise<string> {
  const { stdout } = await lab.run(node, ["ip", "-json", "link", "show", "r1"]);
  return JSON.parse(stdout)[0].address;
}

async function ask<T>(lab: Lab, node: string, ...command: readonly string[]): Promise<T> {
  const { stdout, stderr, exitCode } = await lab.run(node, ["anyhome", ...command, "-o", "json"]);
  if (exitCode !== 0) throw new Error(`anyhome ${command.join(" ")} on ${node}: ${stderr}`);
  return JSON.parse(stdout) as T;
}

function logOf(lab: Lab, node: string, title: string): Record<string, unknown>[] {
  return readFileSync(lab.place.node(node).log(title), "utf8")
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
}
