/** Packets of a mobile on real routers: from a correspondent by any home agent to the mobile, and back. */
import { createHash, randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  type ForwardingCountersView,
  type ForwardingView,
  forwardingCountersView,
} from "../../src/adapters/api/forwarding.ts";
import type { Lab } from "../../src/lab/namespaces/lab.ts";
import { ensureBpfPrograms } from "../../src/setup/bpf-programs.mjs";
import { packet } from "../adapters/dataplane/packets.ts";
import { waitFor, withLab } from "./harness.ts";
import { PacketCapture } from "./packet-capture.ts";

const PYTHON = "/usr/bin/python3";
const TUNNEL_END = fileURLToPath(new URL("tunnel-end.py", import.meta.url));
const HOME_AGENTS = ["ha1", "ha2", "ha3"] as const;
const VIRTUAL_ADDRESS = "10.64.0.1";
const CORRESPONDENT = "10.1.20.2";

/** Beside the lab's own, behind either foreign agent's router, with co-located care-of addresses. */
const MOBILES = {
  "ip-in-ip": { node: "fa1", homeAddress: "10.64.9.11", careOfAddress: "10.1.11.2", flags: "T", protocol: 4 },
  minimal: { node: "fa1", homeAddress: "10.64.9.13", careOfAddress: "10.1.11.2", flags: "MT", protocol: 55 },
  gre: { node: "fa2", homeAddress: "10.64.9.12", careOfAddress: "10.1.12.2", flags: "GT", protocol: 47 },
} as const;

const ENCAPSULATIONS = ["ip-in-ip", "minimal", "gre"] as const;

withLab(
  "home agents with a data plane",
  (lab) => {
    mobilesOfTheLab(lab);

    beforeAll(async () => {
      expect(await ensureBpfPrograms()).toBeUndefined();
      for (const encapsulation of ENCAPSULATIONS) {
        await startTunnelEnd(lab, encapsulation);
        await register(lab, encapsulation);
      }
    });

    describe.each(ENCAPSULATIONS)("and a mobile that has registered with %s", (encapsulation) => {
      const { node, homeAddress, careOfAddress, protocol } = MOBILES[encapsulation];
      const capture = new PacketCapture(lab, node, `ip proto ${protocol}`);

      afterAll(() => capture.discard());

      test("a correspondent's pings reach it by a tunnel to its care-of address, and come back by a tunnel", async () => {
        // Neighbors that nobody has asked for yet, on a busy machine, may cost the first packet.
        const isReached = async () => (await ping(lab, homeAddress, { count: 1, waitSeconds: 1 })).received === 1;
        await waitFor(isReached, { deadlineMs: 20_000, what: `${homeAddress} to answer` });
        await capture.start();
        expect(await ping(lab, homeAddress, { count: 20, intervalSeconds: 0.02 })).toEqual({ sent: 20, received: 20 });
        const outer = ["ip.src", "ip.dst", "ip.proto"];
        if (encapsulation === "minimal") {
          // tshark doesn't look behind a minimal forwarding header.
          const packets = await capture.fields("ip", outer);
          const directions = [
            [VIRTUAL_ADDRESS, careOfAddress, String(protocol)],
            [careOfAddress, VIRTUAL_ADDRESS, String(protocol)],
          ];
          expect(new Set(packets.map(String))).toEqual(new Set(directions.map(String)));
          return;
        }
        const packets = await capture.fields("icmp", [...outer, "icmp.type"]);
        const ICMP = 1;
        expect(new Set(packets.map((packet) => packet.join(" ")))).toEqual(
          new Set([
            `${VIRTUAL_ADDRESS},${CORRESPONDENT} ${careOfAddress},${homeAddress} ${protocol},${ICMP} 8`,
            `${careOfAddress},${homeAddress} ${VIRTUAL_ADDRESS},${CORRESPONDENT} ${protocol},${ICMP} 0`,
          ]),
        );
      });

      test("TCP carries four megabytes to it and back, whole", async () => {
        await carryMegabytes(lab, node, homeAddress);
      });
    });

    test("whichever home agent a packet comes to forwards it", async () => {
      const { homeAddress } = MOBILES["ip-in-ip"];
      const before = await packetsToMobile(lab, homeAddress);
      const { port } = await serve(lab, "fa1", homeAddress, "udp");
      // From many ports: r1 spreads them by hash over all home agents.
      const { stdout } = await lab.run("cn1", [PYTHON, "-c", ASK_FROM_MANY_PORTS, homeAddress, String(port), "60"]);
      expect(stdout.trim()).toBe("60");
      const after = await packetsToMobile(lab, homeAddress);
      for (const name of HOME_AGENTS) expect(after[name], name).toBeGreaterThan(before[name] ?? 0);
    });

    test("two mobiles reach each other, through a tunnel each", async () => {
      const { node, homeAddress } = MOBILES.gre;
      const from = ["-I", homeAddress];
      const { sent, received } = await ping(lab, MOBILES["ip-in-ip"].homeAddress, {
        on: node,
        count: 20,
        options: from,
      });
      expect({ sent, received }).toEqual({ sent: 20, received: 20 });
    });

    test("nobody gets out of a tunnel by another one's home address", async () => {
      const before = await drops(lab, "care-of-mismatch");
      const forged = packet({ source: MOBILES["ip-in-ip"].homeAddress, destination: CORRESPONDENT });
      const words = [PYTHON, "-c", SEND_IN_TUNNEL, VIRTUAL_ADDRESS, forged.toString("hex")];
      const { stderr, exitCode } = await lab.run("fa2", words);
      expect(exitCode, stderr).toBe(0);
      await waitFor(async () => (await drops(lab, "care-of-mismatch")) === before + 1, {
        deadlineMs: 10_000,
        what: "the forged packet to be counted",
      });
    });

    test.each([
      ["is killed", "SIGKILL"],
      ["hangs", "SIGSTOP"],
      ["is stopped", "SIGTERM"],
    ] as const)(
      "a flow of 1,000 packets per second loses none when the daemon that carries it %s",
      async (_, signal) => {
        const { homeAddress } = MOBILES["ip-in-ip"];
        const before = await packetsToMobile(lab, homeAddress);
        const flow = ping(lab, homeAddress, { count: 6000, intervalSeconds: 0.001 });
        const victim = await waitFor(async () => busiest(before, await packetsToMobile(lab, homeAddress)), {
          deadlineMs: 20_000,
          what: "packets to flow",
        });
        await lab.kill(victim, "daemon", signal);
        expect(await flow).toEqual({ sent: 6000, received: 6000 });
        await waitFor(async () => (await lab.nextHops("r1")).length === 2, {
          deadlineMs: 20_000,
          what: "its route to go",
        });
        if (signal === "SIGSTOP") await lab.kill(victim, "daemon", "SIGCONT");
        await lab.start(victim);
        await waitFor(async () => (await lab.nextHops("r1")).length === 3, {
          deadlineMs: 60_000,
          what: "its route to come",
        });
      },
    );

    test("a home agent that comes back forwards what it finds on its disk and with others", async () => {
      for (const name of HOME_AGENTS) {
        const list = await forwardingList(lab, name);
        expect(list.map((entry) => entry.homeAddress).toSorted(), name).toEqual([
          "10.64.9.1",
          "10.64.9.11",
          "10.64.9.12",
          "10.64.9.13",
          "10.64.9.2",
        ]);
      }
    });

    test("a home agent whose device is taken away is down, says why, and comes back by itself", async () => {
      // The daemon makes it again at once, unless somebody else has taken the name.
      await lab.run("ha1", ["sh", "-c", "until ip link add anyhome0 type bridge; do ip link delete anyhome0; done"]);
      await waitFor(async () => (await lab.run("ha1", ["anyhome", "status"])).stdout.includes("can't be forwarded"), {
        deadlineMs: 20_000,
        what: "ha1 to notice",
      });
      await waitFor(async () => (await lab.nextHops("r1")).length === 2, {
        deadlineMs: 20_000,
        what: "its route to go",
      });
      await lab.run("ha1", ["ip", "link", "delete", "anyhome0"]);
      await waitFor(async () => (await lab.nextHops("r1")).length === 3, {
        deadlineMs: 60_000,
        what: "its route to come",
      });
      expect(await ping(lab, "10.64.9.11", { count: 20 })).toEqual({ sent: 20, received: 20 });
    });

    test("a deregistered mobile gets no packets any more, and they are counted", async () => {
      const { homeAddress } = MOBILES.gre;
      const before = await drops(lab, "destination-unregistered");
      const { exitCode } = await lab.run("fa2", ["anyhome", "mn", "deregister", "--home-address", homeAddress]);
      expect(exitCode).toBe(0);
      expect(await ping(lab, homeAddress, { count: 3, waitSeconds: 1 })).toEqual({ sent: 3, received: 0 });
      expect(await drops(lab, "destination-unregistered")).toBe(before + 3);
    });
  },
  { dataPlane: "bpf" },
);

withLab(
  "home agents with a data plane in user space",
  (lab) => {
    mobilesOfTheLab(lab);
    mobileWithCoLocatedAddress(lab);

    test.each(ENCAPSULATIONS)(
      "forward packets of a mobile there and back that has registered with %s",
      async (encapsulation) => {
        const { node, homeAddress, careOfAddress, protocol } = MOBILES[encapsulation];
        await startTunnelEnd(lab, encapsulation);
        await register(lab, encapsulation);
        const capture = new PacketCapture(lab, node, `ip proto ${protocol}`);
        try {
          await capture.start();
          expect(await ping(lab, homeAddress, { count: 20 })).toEqual({ sent: 20, received: 20 });
          await carryMegabytes(lab, node, homeAddress);
          const directions = await capture.fields("ip", ["ip.src", "ip.dst"]);
          const outer = directions.map(([source = "", destination = ""]) => `${first(source)} ${first(destination)}`);
          const expected = [`${VIRTUAL_ADDRESS} ${careOfAddress}`, `${careOfAddress} ${VIRTUAL_ADDRESS}`];
          expect(new Set(outer)).toEqual(new Set(expected));
        } finally {
          await capture.discard();
        }
      },
    );

    test("count what they forward and drop", async () => {
      const { homeAddress } = MOBILES["ip-in-ip"];
      const forwarded = await packetsToMobile(lab, homeAddress);
      expect(Object.values(forwarded).reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(20);
      const before = await drops(lab, "destination-unregistered");
      await ping(lab, "10.64.9.99", { count: 3, waitSeconds: 1 });
      await waitFor(async () => (await drops(lab, "destination-unregistered")) === before + 3, {
        deadlineMs: 10_000,
        what: "the drops to be counted",
      });
    });
  },
  { dataPlane: "user" },
);

withLab(
  "home agents with a data plane, one of which has no copy of a mobile's binding",
  (lab) => {
    const { node, homeAddress } = MOBILES["ip-in-ip"];
    let stranger = "";

    beforeAll(async () => {
      await startTunnelEnd(lab, "ip-in-ip");
      await register(lab, "ip-in-ip");
      // The ingress may know for a while what it was told with the reply.
      stranger = await waitFor(() => withoutWay(lab, homeAddress), { deadlineMs: 60_000, what: "one to know no way" });
    });

    test("lose no packet of a cold flow that comes to that one in both directions, and pass few of them on", async () => {
      await sendBy(lab, stranger, homeAddress);
      expect(await ping(lab, homeAddress, { count: 3000, intervalSeconds: 0.001 })).toEqual({
        sent: 3000,
        received: 3000,
      });
      const { passedOn } = await forwardingCounters(lab, stranger);
      for (const direction of ["toMobile", "fromMobile"] as const) {
        expect(passedOn[direction], direction).toBeGreaterThan(0);
        expect(passedOn[direction], direction).toBeLessThanOrEqual(50);
      }
      expect((await packetsToMobile(lab, homeAddress))[stranger]).toBeGreaterThan(2900);
    });

    test("carry TCP there and back where every packet has to be passed on", async () => {
      // With its daemon stopped it can't ask; the programs go on for half a minute.
      await waitFor(async () => (await withoutWay(lab, homeAddress)) === stranger, {
        deadlineMs: 60_000,
        what: "the lease to end",
      });
      await lab.kill(stranger, "daemon", "SIGSTOP");
      await carryMegabytes(lab, node, homeAddress);
      await lab.kill(stranger, "daemon", "SIGCONT");
      expect((await forwardingCounters(lab, stranger)).passedOn.toMobile).toBeGreaterThan(50);
    });
  },
  { dataPlane: "bpf", copies: 1 },
);

withLab(
  "home agents with a data plane that announce by OSPF",
  (lab) => {
    test("forward packets of a mobile, though another interface has the network as well", async () => {
      await startTunnelEnd(lab, "ip-in-ip");
      await register(lab, "ip-in-ip");
      const { homeAddress } = MOBILES["ip-in-ip"];
      expect(await ping(lab, homeAddress, { count: 20 })).toEqual({ sent: 20, received: 20 });
    });
  },
  { dataPlane: "bpf", routing: "ospf" },
);

/** Those that the lab has registered through its foreign agents, which are ours too: what they do is seen on the wire. */
function mobilesOfTheLab(lab: Lab): void {
  const [ALICE, BOB] = ["10.64.9.1", "10.64.9.2"];
  const CARE_OF = "10.1.11.2";

  describe("a mobile behind a foreign agent of ours", () => {
    const capture = new PacketCapture(lab, "fa1", "ip proto 4");
    const toMobile = `${VIRTUAL_ADDRESS},${CORRESPONDENT} ${CARE_OF},${ALICE}`;
    const fromMobile = `${CARE_OF},${ALICE} ${VIRTUAL_ADDRESS},${CORRESPONDENT}`;

    /** The pairs of outer and inner addresses that have passed the foreign agent. */
    const directions = async (filter: string) =>
      new Set((await capture.fields(filter, ["ip.src", "ip.dst"])).map((packet) => packet.join(" ")));

    beforeAll(async () => {
      const isReached = async () => (await ping(lab, ALICE, { count: 1, waitSeconds: 1 })).received === 1;
      await waitFor(isReached, { deadlineMs: 20_000, what: `${ALICE} to answer` });
    });
    afterEach(() => capture.discard());

    test("answers a correspondent's pings, by a tunnel each way", async () => {
      await capture.start();
      expect(await ping(lab, ALICE, { count: 20 })).toEqual({ sent: 20, received: 20 });
      expect(await directions("icmp")).toEqual(new Set([toMobile, fromMobile]));
    });

    test("pings a correspondent, by a tunnel each way", async () => {
      await capture.start();
      expect(await ping(lab, CORRESPONDENT, { on: "mn1", count: 20 })).toEqual({ sent: 20, received: 20 });
      expect(await directions("icmp")).toEqual(new Set([toMobile, fromMobile]));
    });

    test("is sent four megabytes by TCP and sends them back, by a tunnel each way", async () => {
      await capture.start();
      await carryMegabytes(lab, "mn1", ALICE);
      expect(await directions("tcp")).toEqual(new Set([toMobile, fromMobile]));
    });

    test("sends a correspondent four megabytes by TCP and gets them back", async () => {
      await carryMegabytes(lab, "cn1", CORRESPONDENT, "mn1");
    });

    test("reaches a mobile behind the other foreign agent, through a tunnel each", async () => {
      await capture.start();
      expect(await ping(lab, BOB, { on: "mn1", count: 20 })).toEqual({ sent: 20, received: 20 });
      // Redirects are the kernel's idea of a route that leads back by the interface that a packet came from.
      const there = `${CARE_OF},${ALICE} ${VIRTUAL_ADDRESS},${BOB}`;
      const back = `${VIRTUAL_ADDRESS},${BOB} ${CARE_OF},${ALICE}`;
      expect(await directions("icmp && !(icmp.type == 5)")).toEqual(new Set([there, back]));
    });
  });
}

/** A host that is a correspondent otherwise takes its packets out of tunnels by itself. */
function mobileWithCoLocatedAddress(lab: Lab): void {
  test("a mobile of ours with a co-located care-of address is the end of its tunnels, and leaves nothing behind", async () => {
    const homeAddress = "10.64.9.21";
    const words = ["anyhome", "mn", "run", "--home-address", homeAddress, "--flags", "GT", "--tunnels"];
    const pid = lab.spawn("cn1", words, "mobile");
    const capture = new PacketCapture(lab, "cn1", "ip proto 47");
    try {
      const isReached = async () =>
        (await ping(lab, homeAddress, { on: "fa2", count: 1, waitSeconds: 1 })).received === 1;
      await waitFor(isReached, { deadlineMs: 30_000, what: `${homeAddress} to answer` });
      await capture.start();
      expect(await ping(lab, homeAddress, { on: "fa2", count: 20 })).toEqual({ sent: 20, received: 20 });
      const packets = await capture.fields("icmp", ["ip.src", "ip.dst"]);
      expect(new Set(packets.map((packet) => packet.join(" ")))).toEqual(
        new Set([
          `${VIRTUAL_ADDRESS},10.1.12.2 ${CORRESPONDENT},${homeAddress}`,
          `${CORRESPONDENT},${homeAddress} ${VIRTUAL_ADDRESS},10.1.12.2`,
        ]),
      );
    } finally {
      await capture.discard();
      process.kill(pid, "SIGTERM");
    }
    await waitFor(async () => !(await lab.run("cn1", ["ip", "rule"])).stdout.includes(homeAddress), {
      deadlineMs: 30_000,
      what: "its rule to go",
    });
    expect((await lab.run("cn1", ["ip", "link"])).stdout).not.toContain("anyhome-mn");
  });
}

async function startTunnelEnd(lab: Lab, encapsulation: keyof typeof MOBILES): Promise<void> {
  const { node, homeAddress, careOfAddress } = MOBILES[encapsulation];
  lab.spawn(
    node,
    [
      ...[PYTHON, TUNNEL_END, "--home-address", homeAddress, "--care-of-address", careOfAddress],
      ...["--home-agent", VIRTUAL_ADDRESS, "--encapsulation", encapsulation],
    ],
    "tunnel-end",
  );
  const rules = () => lab.run(node, ["ip", "rule"]);
  await waitFor(async () => (await rules()).stdout.includes(homeAddress), {
    deadlineMs: 20_000,
    what: "the mobile's end",
  });
}

async function register(lab: Lab, encapsulation: keyof typeof MOBILES): Promise<void> {
  const { node, homeAddress, flags, careOfAddress } = MOBILES[encapsulation];
  const words = ["anyhome", "mn", "register", "--home-address", homeAddress, "--flags", flags];
  const { exitCode, stderr } = await lab.run(node, [...words, "--local-address", careOfAddress]);
  expect(exitCode, stderr).toBe(0);
}

async function ping(
  lab: Lab,
  address: string,
  options: {
    readonly on?: string;
    readonly count: number;
    readonly intervalSeconds?: number;
    readonly waitSeconds?: number;
    readonly options?: readonly string[];
  },
): Promise<{ readonly sent: number; readonly received: number }> {
  const { on = "cn1", count, intervalSeconds = 0.02, waitSeconds = 10, options: others = [] } = options;
  const words = ["-q", "-c", String(count), "-i", String(intervalSeconds), "-W", String(waitSeconds), ...others];
  const { stdout, stderr } = await lab.run(on, ["ping", ...words, address]);
  const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(stdout) ?? [];
  if (sent === undefined) throw new Error(`ping said ${stdout}${stderr}`);
  return { sent: Number(sent), received: Number(received) };
}

/** Four of them to a node by TCP, and back. */
async function carryMegabytes(lab: Lab, node: string, homeAddress: string, from = "cn1"): Promise<void> {
  const content = randomBytes(4_000_000);
  const { port } = await serve(lab, node, homeAddress, "echo");
  const { stdout, stderr } = await lab.run(from, [PYTHON, "-c", SEND_AND_HASH, homeAddress, String(port)], {
    input: content.toString("base64"),
  });
  expect(stdout.trim(), stderr).toBe(createHash("sha256").update(content).digest("hex"));
}

/** Of the values that tshark has for a field, one for each header of a packet. */
function first(values: string): string {
  return values.split(",")[0] ?? "";
}

/** A server on the mobile, which says on which port it listens. */
async function serve(lab: Lab, node: string, homeAddress: string, kind: "echo" | "udp"): Promise<{ port: number }> {
  const port = kind === "echo" ? 7007 : 7008;
  lab.spawn(node, [PYTHON, "-c", kind === "echo" ? TCP_HASH_SERVER : UDP_ECHO_SERVER, homeAddress, String(port)], kind);
  const sockets = () => lab.run(node, ["ss", "--numeric", "--listening", "--tcp", "--udp"]);
  await waitFor(async () => (await sockets()).stdout.includes(`${homeAddress}:${port}`), {
    deadlineMs: 20_000,
    what: "the server on the mobile",
  });
  return { port };
}

/** Answers what it was sent, and then ends. */
const TCP_HASH_SERVER = `
import socket, sys
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
connection, _ = server.accept()
content = b""
while chunk := connection.recv(65536):
    content += chunk
connection.sendall(content)
connection.close()
`;

const SEND_AND_HASH = `
import base64, hashlib, socket, sys
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=60)
connection.sendall(base64.b64decode(sys.stdin.read()))
connection.shutdown(socket.SHUT_WR)
digest = hashlib.sha256()
while chunk := connection.recv(65536):
    digest.update(chunk)
print(digest.hexdigest())
`;

const SEND_IN_TUNNEL = `
import socket, sys
tunnel = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_IPIP)
tunnel.sendto(bytes.fromhex(sys.argv[2]), (sys.argv[1], 0))
`;

const UDP_ECHO_SERVER = `
import socket, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], int(sys.argv[2])))
while True:
    content, source = server.recvfrom(2048)
    server.sendto(content, source)
`;

const ASK_FROM_MANY_PORTS = `
import socket, sys
answered = 0
for _ in range(int(sys.argv[3])):
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(10)
    client.sendto(b"question", (sys.argv[1], int(sys.argv[2])))
    answered += client.recv(2048) == b"question"
print(answered)
`;

type ByHomeAgent = Readonly<Record<string, number>>;

async function forwardingList(lab: Lab, name: string): Promise<ForwardingView[]> {
  const { stdout } = await lab.run(name, ["anyhome", "forwarding", "list", "-o", "json"]);
  return JSON.parse(stdout);
}

async function packetsToMobile(lab: Lab, homeAddress: string): Promise<ByHomeAgent> {
  const counts = HOME_AGENTS.map(async (name) => {
    const entry = (await forwardingList(lab, name)).find((candidate) => candidate.homeAddress === homeAddress);
    return [name, entry?.toMobile.packets ?? 0] as const;
  });
  return Object.fromEntries(await Promise.all(counts));
}

/** The home agent that has no way to the mobile, if there is one. */
async function withoutWay(lab: Lab, homeAddress: string): Promise<string | undefined> {
  for (const name of HOME_AGENTS) {
    const list = await forwardingList(lab, name);
    if (!list.some((entry) => entry.homeAddress === homeAddress)) return name;
  }
  return undefined;
}

/** Whatever the routers would choose: packets for the mobile, and its tunnel, come to this home agent. */
async function sendBy(lab: Lab, name: string, homeAddress: string): Promise<void> {
  const node = lab.topology.nodes.find((candidate) => candidate.name === name);
  for (const address of [homeAddress, VIRTUAL_ADDRESS]) {
    const words = ["ip", "route", "replace", `${address}/32`, "via", node?.interfaces[0]?.address ?? ""];
    const { exitCode, stderr } = await lab.run("r1", words);
    expect(exitCode, stderr).toBe(0);
  }
}

/** The home agent that has forwarded a hundred packets or more since. */
function busiest(before: ByHomeAgent, after: ByHomeAgent): string | undefined {
  return HOME_AGENTS.find((name) => (after[name] ?? 0) - (before[name] ?? 0) > 100);
}

async function forwardingCounters(lab: Lab, name: string): Promise<ForwardingCountersView> {
  const { stdout } = await lab.run(name, ["anyhome", "forwarding", "counters", "-o", "json"]);
  return forwardingCountersView.parse(JSON.parse(stdout));
}

/** Of all home agents. */
async function drops(lab: Lab, reason: string): Promise<number> {
  const counts = HOME_AGENTS.map(async (name) => (await forwardingCounters(lab, name)).drops[reason] ?? 0);
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}
