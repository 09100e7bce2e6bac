/** Forwarding in user space, seen from the link: what the host sends into a tunnel, and what comes out of one that we write. */
import { closeSync, readdirSync } from "node:fs";
import type { Worker } from "node:worker_threads";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { TunnelDataPlane } from "../../../src/adapters/dataplane/tunnel-data-plane.ts";
import { type Libc, loadLibc, SOCK_RAW } from "../../../src/adapters/kernel/libc.ts";
import { PacketSocket } from "../../../src/adapters/kernel/packet-socket.ts";
import type { ForwardingEntry, Tunnel } from "../../../src/core/forwarding/forwarding-entry.ts";
import type { DropReason } from "../../../src/core/tunnel/drop-reasons.ts";
import { ipv4 } from "../../../src/core/wire/ipv4.ts";
import { waitFor } from "../../../src/lab/wait.ts";
import { CARE_OF, ENTRY, optionsOf } from "./data-plane-options.ts";
import { addUplink, enterOwnNamespace, ip } from "./own-namespace.ts";
import {
  GRE,
  gre,
  greWithChecksum,
  IP_IN_IP,
  MINIMAL,
  MORE_FRAGMENTS,
  minimalHeader,
  packet,
  withoutEthernet,
} from "./packets.ts";
import { VIRTUAL_ADDRESS } from "./program-rig.ts";

const isSkipped = process.platform !== "linux" || process.getuid?.() !== 0;
if (isSkipped) process.stderr.write("\nSKIPPED: forwarding in user space, because only root can do it, on Linux\n\n");

const CORRESPONDENT = "203.0.113.7";
const SECOND_CARE_OF = "192.0.2.10";
const MOBILES = { plain: "10.64.1.1", gre: "10.64.1.2", minimal: "10.64.1.3", two: "10.64.1.4" };
const ETH_P_IP_IN_NETWORK_ORDER = 0x0008;
const AF_PACKET = 17;

function entry(homeAddress: string, ...tunnels: Partial<Tunnel>[]): ForwardingEntry {
  const [model] = ENTRY.tunnels;
  if (model === undefined) throw new Error("the model has no tunnel");
  return { homeAddress: ipv4(homeAddress), tunnels: tunnels.map((tunnel) => ({ ...model, ...tunnel })) };
}

const ENTRIES = [
  entry(MOBILES.plain, {}),
  entry(MOBILES.gre, { encapsulation: "gre" }),
  entry(MOBILES.minimal, { encapsulation: "minimal" }),
  entry(MOBILES.two, {}, { careOfAddress: ipv4(SECOND_CARE_OF), encapsulation: "gre" }),
];

describe.skipIf(isSkipped)("the data plane in user space", () => {
  let libc: Libc;
  let far: PacketSocket;
  /** What comes to the other end of the uplink. */
  let sniffer: number;
  let ethernetHeader: Buffer;
  const planes: TunnelDataPlane[] = [];
  let failures: (string | undefined)[] = [];

  beforeAll(async () => {
    libc = await loadLibc();
    enterOwnNamespace();
    ip(`address add ${VIRTUAL_ADDRESS}/32 dev lo`);
    addUplink();
    for (const neighbor of [CARE_OF, SECOND_CARE_OF, "192.0.2.254"]) {
      ip(`neighbor replace ${neighbor} lladdr 02:00:00:00:00:09 dev uplink`);
    }
    far = await PacketSocket.open();
    sniffer = libc.socket(AF_PACKET, SOCK_RAW | libc.SOCK_NONBLOCK, ETH_P_IP_IN_NETWORK_ORDER);
    const address = new Uint8Array(20);
    const view = new DataView(address.buffer);
    view.setUint16(0, AF_PACKET, true);
    view.setUint16(2, ETH_P_IP_IN_NETWORK_ORDER, true);
    view.setInt32(4, libc.interfaceIndex("far"), true);
    libc.bind(sniffer, address);
    const [link] = JSON.parse(ip("-json link show uplink")) as [{ address: string }];
    ethernetHeader = Buffer.from(`${link.address.replaceAll(":", "")}0200000000090800`, "hex");
  });

  afterEach(() => {
    for (const plane of planes.splice(0)) plane.stop();
    failures = [];
    arrived();
  });

  afterAll(() => {
    if (isSkipped) return;
    far.close();
    closeSync(sniffer);
  });

  async function start(entries: readonly ForwardingEntry[] = ENTRIES): Promise<TunnelDataPlane> {
    const changed = () => failures.push(plane.failure);
    const plane = new TunnelDataPlane({ ...optionsOf(() => entries), type: "user", changed });
    planes.push(plane);
    await plane.start();
    expect(plane.failure).toBeUndefined();
    return plane;
  }

  /** Packets that have come to the other end of the uplink since the last time. */
  function arrived(): Buffer[] {
    const buffer = new Uint8Array(70_000);
    const found: Buffer[] = [];
    for (let length = libc.read(sniffer, buffer); length !== undefined; length = libc.read(sniffer, buffer)) {
      found.push(withoutEthernet(Buffer.from(buffer.subarray(0, length))));
    }
    return found;
  }

  /** Frames that come in by the uplink. */
  const send = (...packets: Uint8Array[]) => {
    for (const bytes of packets) far.send(Buffer.concat([ethernetHeader, bytes]), libc.interfaceIndex("far"));
  };

  async function untilArrived(count: number): Promise<Buffer[]> {
    const found: Buffer[] = [];
    await waitFor(
      () => {
        found.push(...arrived());
        return found.length >= count;
      },
      { deadlineMs: 30_000, what: `${count} packets on the link` },
    );
    return found;
  }

  const untilDropped = (plane: TunnelDataPlane, reason: DropReason, count = 1) =>
    waitFor(() => plane.drops()[reason] === count, { deadlineMs: 30_000, what: `${count} drops for ${reason}` });

  const toMobile = (destination: string, payload?: Uint8Array) =>
    packet({ source: CORRESPONDENT, destination, ttl: 64 }, payload);
  const fromMobile = (source: string, payload?: Uint8Array) =>
    packet({ source, destination: CORRESPONDENT, ttl: 64 }, payload);
  const tunnelled = (inner: Uint8Array, fields = {}) =>
    packet({ source: CARE_OF, destination: VIRTUAL_ADDRESS, protocol: IP_IN_IP, ...fields }, inner);
  /** As it is after one hop. */
  const routed = (bytes: Buffer) =>
    packet({ source: text(bytes, 12), destination: text(bytes, 16), ttl: 63 }, bytes.subarray(20));

  test("takes packets for a mobile into the tunnel that it has registered, and counts them", async () => {
    const plane = await start();
    const sent = [MOBILES.plain, MOBILES.gre, MOBILES.minimal].map((mobile) => toMobile(mobile));
    send(...sent);
    const outer = await untilArrived(3);
    expect(outer.map((bytes) => [text(bytes, 12), text(bytes, 16), bytes[9]])).toEqual([
      [VIRTUAL_ADDRESS, CARE_OF, IP_IN_IP],
      [VIRTUAL_ADDRESS, CARE_OF, GRE],
      [VIRTUAL_ADDRESS, CARE_OF, MINIMAL],
    ]);
    const [plain, throughGre, minimal] = sent.map(routed);
    expect(outer[0]?.subarray(20)).toEqual(plain);
    expect(outer[1]?.subarray(24)).toEqual(throughGre);
    expect(outer[2]?.subarray(20)).toEqual(
      Buffer.concat([minimalHeader(minimal ?? Buffer.alloc(0)), sent[2]?.subarray(20) ?? Buffer.alloc(0)]),
    );
    const octets = sent[0]?.length;
    await expect
      .poll(() => plane.trafficOf(ipv4(MOBILES.plain)), { timeout: 30_000 })
      .toMatchObject({ packetsToMobile: 1, octetsToMobile: octets, packetsFromMobile: 0 });
  });

  test("sends a copy to each care-of address of a mobile that has several, and counts one packet", async () => {
    const plane = await start();
    send(toMobile(MOBILES.two));
    const outer = await untilArrived(2);
    expect(outer.map((bytes) => [text(bytes, 16), bytes[9]])).toEqual([
      [CARE_OF, IP_IN_IP],
      [SECOND_CARE_OF, GRE],
    ]);
    await expect.poll(() => plane.trafficOf(ipv4(MOBILES.two)).packetsToMobile, { timeout: 30_000 }).toBe(1);
  });

  test("takes out of each kind of tunnel what its mobile has sent, GRE with a checksum too", async () => {
    await start();
    const minimal = fromMobile(MOBILES.minimal);
    const minimalPayload = Buffer.concat([minimalHeader(minimal), minimal.subarray(20)]);
    send(
      tunnelled(fromMobile(MOBILES.plain)),
      tunnelled(gre(fromMobile(MOBILES.gre)), { protocol: GRE }),
      tunnelled(greWithChecksum(fromMobile(MOBILES.gre)), { protocol: GRE }),
      tunnelled(minimalPayload, { protocol: MINIMAL, ttl: 64 }),
    );
    const inner = await untilArrived(4);
    const expected = [MOBILES.plain, MOBILES.gre, MOBILES.gre, MOBILES.minimal].map((mobile) =>
      routed(fromMobile(mobile)),
    );
    expect(inner.map(String).toSorted()).toEqual(expected.map(String).toSorted());
  });

  test("puts together a tunnel's packet that came in fragments", async () => {
    await start();
    const inner = fromMobile(MOBILES.plain, Buffer.alloc(1200, "fragments "));
    const identification = 77;
    const first = tunnelled(inner.subarray(0, 800), { identification, fragment: MORE_FRAGMENTS });
    send(tunnelled(inner.subarray(800), { identification, fragment: 100 }), first);
    expect(await untilArrived(1)).toEqual([routed(inner)]);
  });

  test("carries packets from mobile to mobile", async () => {
    await start();
    const inner = packet({ source: MOBILES.plain, destination: MOBILES.gre, ttl: 64 });
    send(tunnelled(inner));
    // Where its settings allow it, the kernel also sends a redirect, by IP in IP.
    const isOfMobile = (outer: Buffer) => outer[9] === GRE;
    const found: Buffer[] = [];
    await waitFor(async () => found.push(...(await untilArrived(1)).filter(isOfMobile)) > 0, {
      deadlineMs: 30_000,
      what: "the packet in a tunnel of GRE",
    });
    expect(found.map((outer) => outer.subarray(24))).toEqual([routed(inner)]);
  });

  test("drops what nobody may send, or nobody can get, and counts it", async () => {
    const plane = await start();
    send(tunnelled(fromMobile(MOBILES.plain), { source: "192.0.2.77" }));
    await untilDropped(plane, "care-of-mismatch");
    send(tunnelled(packet({ source: MOBILES.plain, destination: "192.0.2.1" })));
    await untilDropped(plane, "inner-destination");
    send(toMobile("10.64.9.9"), toMobile("10.64.9.9"));
    await untilDropped(plane, "destination-unregistered", 2);
    expect(arrived()).toEqual([]);
  });

  test("says that there is no way to a care-of address", async () => {
    const plane = await start([entry(MOBILES.plain, { careOfAddress: ipv4("198.51.100.1") })]);
    ip("route add unreachable 198.51.100.0/24");
    send(toMobile(MOBILES.plain));
    await untilDropped(plane, "care-of-unreachable");
    ip("route delete unreachable 198.51.100.0/24");
  });

  test("follows changes of entries, and forgets what it has counted of a mobile that is gone", async () => {
    const plane = await start([]);
    plane.forward([entry(MOBILES.plain, {})]);
    send(toMobile(MOBILES.plain));
    await untilArrived(1);
    await expect.poll(() => plane.trafficOf(ipv4(MOBILES.plain)).packetsToMobile, { timeout: 30_000 }).toBe(1);
    plane.forward([entry(MOBILES.plain)]);
    await expect.poll(() => plane.trafficOf(ipv4(MOBILES.plain)).packetsToMobile, { timeout: 30_000 }).toBe(0);
    send(toMobile(MOBILES.plain));
    await untilDropped(plane, "destination-unregistered");
  });

  test("has entries end by the time that the home agent goes by", async () => {
    const plane = await start([entry(MOBILES.plain, { expiresAtMs: Date.now() - 1 })]);
    send(toMobile(MOBILES.plain));
    await untilDropped(plane, "destination-expired");
  });

  test("says that its thread has ended, and starts another one", async () => {
    const started = new Promise<Worker>((resolve) => process.once("worker", resolve));
    const plane = await start();
    await (await started).terminate();
    await waitFor(() => failures.length > 1, { deadlineMs: 30_000, what: "the failure to be seen" });
    expect(failures).toEqual([undefined, "the thread that forwards packets has ended"]);
    await waitFor(() => plane.failure === undefined, { deadlineMs: 30_000, what: "another one to work" });
    arrived();
    send(toMobile(MOBILES.plain));
    expect(await untilArrived(1)).toHaveLength(1);
  });

  test("makes its device again when somebody has deleted it", async () => {
    await start();
    ip("link delete anyhome0");
    await waitFor(
      () => {
        send(toMobile(MOBILES.plain));
        return arrived().length > 0;
      },
      { deadlineMs: 30_000, what: "packets to be forwarded again" },
    );
    expect(failures).toEqual([undefined]);
  });

  test("leaves nothing behind when it is stopped", async () => {
    const before = readdirSync("/proc/self/fd").length;
    const plane = await start();
    planes.splice(0);
    plane.stop();
    expect(ip("route show root 10.64.0.0/12")).toBe("");
    expect(ip("link show")).not.toContain("anyhome0");
    await expect.poll(() => readdirSync("/proc/self/fd").length, { timeout: 30_000 }).toBeLessThanOrEqual(before);
  });
});

function text(bytes: Uint8Array, offset: number): string {
  return bytes.subarray(offset, offset + 4).join(".");
}
