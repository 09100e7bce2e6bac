import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Neighbor } from "../../../src/adapters/kernel/neighbor-table.ts";
import { type LinkAccess, type LinkPath, LinkRelay } from "../../../src/adapters/net/mac-relay.ts";
import { type Endpoint, type Ipv4Address, ipv4 } from "../../../src/core/wire/ipv4.ts";
import { type MacAddress, parseMac } from "../../../src/core/wire/mac-address.ts";

const ha1 = { address: ipv4("10.1.0.11"), port: 4340 };
const ha2 = { address: ipv4("10.1.0.12"), port: 4342 };
const OUR_MAC = mac("02:00:00:00:00:11");
const MAC_2 = "02:00:00:00:00:12";
/** Longer than a look at the neighbor table holds. */
const LATER_MS = 1500;

function mac(text: string): MacAddress {
  const parsed = parseMac(text);
  if (parsed === undefined) throw new TypeError(text);
  return parsed;
}

class Host implements LinkAccess {
  readonly table = new Map<Ipv4Address, Neighbor>([[ha2.address, { mac: mac(MAC_2), device: "eth1" }]]);
  readonly sent: { readonly frame: Uint8Array; readonly interfaceIndex: number }[] = [];
  error: Error | undefined;
  closed = false;

  neighbors() {
    return this.table;
  }
  macOf(device: string) {
    return device === "eth1" ? OUR_MAC : undefined;
  }
  interfaceIndex() {
    return 7;
  }
  send(frame: Uint8Array, interfaceIndex: number) {
    if (this.error !== undefined) throw this.error;
    this.sent.push({ frame, interfaceIndex });
  }
  close() {
    this.closed = true;
  }
}

function relayOn(access: LinkAccess | string, peers: ReadonlyMap<string, Endpoint> = new Map([["ha2", ha2]])) {
  const changes: string[] = [];
  const counts = { l2: 0, l3: 0 };
  const state = { isTaking: true };
  const relay = new LinkRelay(
    {
      self: ha1,
      virtualAddress: ipv4("10.64.0.1"),
      peers,
      isTaking: () => state.isTaking,
      sent: (addressing) => counts[addressing]++,
      changed: (member, path: LinkPath) =>
        changes.push(`${member} ${path.addressing === "l2" ? path.mac : path.reason}`),
    },
    access,
  );
  return { relay, changes, counts, state };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const payload = Uint8Array.of(1, 2, 3);

describe("what is relayed to a member on our link", () => {
  it("goes to its MAC address from ours, to the virtual IP address and the member's port", () => {
    const host = new Host();
    const { relay, changes, counts } = relayOn(host);
    expect(relay.send("ha2", payload)).toBe(true);
    const [{ frame, interfaceIndex } = { frame: new Uint8Array(), interfaceIndex: 0 }] = host.sent;
    expect(interfaceIndex).toBe(7);
    const hex = Buffer.from(frame).toString("hex");
    expect(hex.slice(0, 28)).toBe("020000000012" + "020000000011" + "0800");
    expect(hex.slice(52, 76)).toBe("0a01000b" + "0a400001" + "10f4" + "10f6");
    expect(hex.slice(84)).toBe("010203");
    expect(changes).toEqual([`ha2 ${MAC_2}`]);
    expect(counts).toEqual({ l2: 1, l3: 0 });
    expect(relay.pathTo("ha2")).toEqual({ addressing: "l2", mac: MAC_2 });
  });

  it("follows its MAC address when that changes", () => {
    const host = new Host();
    const { relay, changes } = relayOn(host);
    relay.send("ha2", payload);
    host.table.set(ha2.address, { mac: mac("02:00:00:00:00:22"), device: "eth1" });
    vi.advanceTimersByTime(LATER_MS);
    relay.send("ha2", payload);
    expect(Buffer.from(host.sent[1]?.frame ?? []).toString("hex")).toMatch(/^020000000022/);
    expect(changes).toEqual([`ha2 ${MAC_2}`, "ha2 02:00:00:00:00:22"]);
  });

  it("goes by IP when the system doesn't take the frame, as one beyond the MTU", () => {
    const host = new Host();
    const { relay, changes, counts } = relayOn(host);
    host.error = Object.assign(new Error("sendto: EMSGSIZE"), { code: "EMSGSIZE" });
    expect(relay.send("ha2", new Uint8Array(1473))).toBe(false);
    host.error = undefined;
    expect(relay.send("ha2", payload)).toBe(true);
    expect(counts).toEqual({ l2: 1, l3: 1 });
    expect(changes).toHaveLength(1);
  });

  it("goes by IP when no IP packet could hold it", () => {
    const host = new Host();
    expect(relayOn(host).relay.send("ha2", new Uint8Array(65_508))).toBe(false);
    expect(host.sent).toEqual([]);
  });
});

describe("relaying goes by IP, which is told once,", () => {
  it.each([
    ["no frames can be sent", "EPERM", () => "EPERM"],
    [
      "the member's MAC address isn't known",
      "no MAC address is known: the member is not on a link of ours",
      (host: Host) => {
        host.table.clear();
        return host;
      },
    ],
    [
      "our interface has no MAC address",
      "tun0 has no MAC address",
      (host: Host) => {
        host.table.set(ha2.address, { mac: mac(MAC_2), device: "tun0" });
        return host;
      },
    ],
  ])("where %s", (_, reason, prepare) => {
    const host = new Host();
    const { relay, changes, counts } = relayOn(prepare(host));
    expect(relay.send("ha2", payload)).toBe(false);
    vi.advanceTimersByTime(LATER_MS);
    expect(relay.send("ha2", payload)).toBe(false);
    expect(relay.pathTo("ha2")).toEqual({ addressing: "l3", reason });
    expect(changes).toEqual([`ha2 ${reason}`]);
    expect(counts).toEqual({ l2: 0, l3: 2 });
    expect(host.sent).toEqual([]);
  });

  it("as long as the member doesn't say that it takes such frames", () => {
    const host = new Host();
    const { relay, changes, state } = relayOn(host);
    state.isTaking = false;
    expect(relay.send("ha2", payload)).toBe(false);
    state.isTaking = true;
    vi.advanceTimersByTime(LATER_MS);
    expect(relay.send("ha2", payload)).toBe(true);
    expect(changes).toEqual(["ha2 the member doesn't take frames to the virtual address", `ha2 ${MAC_2}`]);
  });
});

it("members with l3 addressing are no business of it", () => {
  const host = new Host();
  const { relay, changes, counts } = relayOn(host, new Map());
  expect(relay.send("ha2", payload)).toBe(false);
  expect(relay.pathTo("ha2")).toBeUndefined();
  expect(changes).toEqual([]);
  expect(counts).toEqual({ l2: 0, l3: 0 });
  relay.close();
  expect(host.closed).toBe(true);
});
