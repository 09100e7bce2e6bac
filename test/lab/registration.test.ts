/** The whole path of a registration on real routers, seen from outside: foreign mobiles, captured packets, killed daemons. */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { BindingPage, BindingView } from "../../src/adapters/api/bindings.ts";
import type { PeerView } from "../../src/adapters/api/members.ts";
import type { Lab } from "../../src/lab/namespaces/lab.ts";
import { installedNextHops } from "./frr-tables.ts";
import { waitFor, withLab } from "./harness.ts";
import { PacketCapture } from "./packet-capture.ts";

const FOREIGN_MOBILE = fileURLToPath(new URL("foreign-mobile.py", import.meta.url));
const HOME_AGENTS = ["ha1", "ha2", "ha3"] as const;
const HOME_AGENT_ADDRESSES: Record<string, string> = { ha1: "10.1.0.11", ha2: "10.1.0.12", ha3: "10.1.0.13" };

interface Registered {
  readonly code: number;
  readonly lifetime: number;
  readonly homeAddress: string;
  readonly homeAgent: string;
  readonly identification: string;
  readonly authentic: boolean;
  readonly request: string;
  readonly reply: string;
  readonly requestIdentification: string;
  readonly source: string;
  readonly port: number;
}

withLab("a registration through the virtual address", (lab) => {
  const capture = new PacketCapture(lab, "r2", "udp port 434");
  const registered = new Map<string, Registered & { readonly careOfAddress: string }>();

  beforeAll(() => capture.start());
  afterAll(() => capture.discard());

  test.each([
    ["fa1", "10.1.11.2", "scapy", "10.64.1"],
    ["fa2", "10.1.12.2", "bytes", "10.64.2"],
  ])("from %s (%s), built by %s, is accepted and signed", async (node, careOfAddress, how, network) => {
    const homeAddresses = Array.from({ length: 15 }, (_, index) => `${network}.${index + 1}`);
    const replies = await register(lab, node, how, careOfAddress, homeAddresses);
    expect(replies).toHaveLength(homeAddresses.length);
    for (const [index, reply] of replies.entries()) {
      expect(reply).toMatchObject({
        code: 0,
        lifetime: 600,
        homeAddress: homeAddresses[index],
        homeAgent: "10.64.0.1",
        identification: reply.requestIdentification,
        authentic: true,
        source: "10.64.0.1:434",
      });
      registered.set(reply.homeAddress, { ...reply, careOfAddress });
    }
  });

  test("has one owner for each mobile, all home agents taking part as owner and as ingress", async () => {
    const views = await allBindings(lab);
    for (const homeAddress of registered.keys()) {
      expect(views.filter((view) => view.homeAddress === homeAddress && view.roles.includes("owner"))).toHaveLength(1);
      expect(views.filter((view) => view.homeAddress === homeAddress && view.roles.includes("ingress"))).toHaveLength(
        1,
      );
    }
    const owners = new Set(views.filter(({ roles }) => roles.includes("owner")).map(({ on }) => on));
    const ingresses = new Set(views.filter(({ roles }) => roles.includes("ingress")).map(({ on }) => on));
    expect([...owners].toSorted()).toEqual([...HOME_AGENTS]);
    expect([...ingresses].toSorted()).toEqual([...HOME_AGENTS]);
  });

  test("whose ingress and owner differ leaves a binding on both, with the fields of a temporary and a permanent binding", async () => {
    const views = await allBindings(lab);
    const relayed = views.filter(({ roles }) => roles.includes("ingress") && !roles.includes("owner"));
    expect(relayed.length).toBeGreaterThan(0);
    for (const ingress of relayed) {
      const told = registered.get(ingress.homeAddress);
      expect(ingress).toMatchObject({
        state: "permanent",
        careOfAddress: told?.careOfAddress,
        foreignAgent: `${told?.careOfAddress}:${told?.port}`,
        lifetime: told?.lifetime,
        identification: told?.identification,
        ownerAddress: HOME_AGENT_ADDRESSES[ingress.owner],
      });
      const owned = views.find(
        ({ homeAddress, roles }) => homeAddress === ingress.homeAddress && roles.includes("owner"),
      );
      expect(owned).toMatchObject({
        on: ingress.owner,
        roles: ["owner"],
        state: "permanent",
        careOfAddress: told?.careOfAddress,
        foreignAgent: ingress.foreignAgent,
        lifetime: told?.lifetime,
        identification: told?.identification,
        generation: ingress.generation,
      });
    }
  });

  test("crosses the wire as tshark understands it, request and reply alike", async () => {
    const messages = await capture.messages();
    expect(messages.filter(({ type }) => type === 1)).toHaveLength(registered.size);
    expect(messages.filter(({ type }) => type === 3)).toHaveLength(registered.size);
    expect(messages.filter(({ malformed }) => malformed)).toEqual([]);
    for (const { homeAddress } of messages) expect(registered.has(homeAddress)).toBe(true);
  });

  test("shows each home agent the health and load of the others", async () => {
    for (const node of HOME_AGENTS) {
      const peers = await onNode<PeerView[]>(lab, node, ["peers"]);
      expect(peers.map(({ id, health }) => `${id} ${health}`)).toEqual(["ha1 ready", "ha2 ready", "ha3 ready"]);
      const owned = peers.reduce((sum, { load }) => sum + (load?.ownedBindings ?? 0), 0);
      expect(owned).toBe(registered.size);
    }
  });

  test("is served again after all home agents were killed and restarted, to the last bit of the reply (D5)", async () => {
    const before = await allBindings(lab);
    await Promise.all(HOME_AGENTS.map((node) => lab.kill(node, "daemon", "SIGKILL")));
    await waitFor(async () => (await installedNextHops(lab, "r1")).length === 0, {
      deadlineMs: 10_000,
      what: "r1 to lose all routes",
    });
    await Promise.all(HOME_AGENTS.map((node) => lab.start(node)));
    await waitFor(async () => (await installedNextHops(lab, "r1")).length === 3, {
      deadlineMs: 30_000,
      what: "r1 to have all routes",
    });
    expect(sorted(await allBindings(lab))).toEqual(sorted(before));
    for (const { homeAddress, request, reply, careOfAddress, port } of registered.values()) {
      const node = careOfAddress === "10.1.11.2" ? "fa1" : "fa2";
      expect([homeAddress, await resend(lab, node, careOfAddress, port, request)]).toEqual([homeAddress, reply]);
    }
  });
});

async function register(lab: Lab, node: string, how: string, careOf: string, homes: string[]): Promise<Registered[]> {
  const { stdout, stderr, exitCode } = await lab.run(node, [
    "/usr/bin/python3",
    FOREIGN_MOBILE,
    how,
    "10.64.0.1",
    careOf,
    ...homes,
  ]);
  if (exitCode !== 0) throw new Error(`the foreign mobile failed: ${stderr}`);
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

/** Sends bytes from the same port again; the answer as hex. */
async function resend(lab: Lab, node: string, address: string, port: number, request: string): Promise<string> {
  const script = [
    "import socket,sys",
    "s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);s.settimeout(5);s.bind((sys.argv[1],int(sys.argv[2])))",
    "s.sendto(bytes.fromhex(sys.argv[3]),('10.64.0.1',434));print(s.recv(2048).hex())",
  ].join("\n");
  const { stdout, stderr } = await lab.run(node, ["/usr/bin/python3", "-c", script, address, String(port), request]);
  return stdout.trim() || stderr;
}

async function onNode<T>(lab: Lab, node: string, command: readonly string[]): Promise<T> {
  const { stdout, stderr, exitCode } = await lab.run(node, ["anyhome", ...command, "-o", "json"]);
  if (exitCode !== 0) throw new Error(`anyhome ${command.join(" ")} on ${node}: ${stderr}`);
  return JSON.parse(stdout) as T;
}

type BindingOnNode = BindingView & { readonly on: string };

async function allBindings(lab: Lab): Promise<BindingOnNode[]> {
  const lists = await Promise.all(
    HOME_AGENTS.map(async (on) => {
      const bindings = await onNode<BindingPage["bindings"]>(lab, on, ["bindings", "list"]);
      return bindings.map((binding) => ({ ...binding, on }));
    }),
  );
  return lists.flat();
}

function sorted(views: readonly BindingOnNode[]): BindingOnNode[] {
  const key = ({ on, mobile }: BindingOnNode) => `${mobile} ${on}`;
  return views.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
}
