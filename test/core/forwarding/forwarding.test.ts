import fc from "fast-check";
import { expect, test } from "vitest";
import type { Binding } from "../../../src/core/bindings/binding.ts";
import { ForwardingChanges } from "../../../src/core/forwarding/forwarding-changes.ts";
import { type ForwardingEntry, forwardingEntry, type Tunnel } from "../../../src/core/forwarding/forwarding-entry.ts";
import { type Ipv4Address, ipv4 } from "../../../src/core/wire/ipv4.ts";
import { INFINITE_LIFETIME } from "../../../src/core/wire/registration-message.ts";
import { TestCluster } from "../home-agent/test-cluster.ts";
import { FA1, FA2, Rig, type Sent, START_MS } from "../registration/rig.ts";

function entryAfter(...sent: Sent[]): ForwardingEntry {
  const rig = new Rig({ minimalEncapsulation: true, maximumLifetimeSeconds: INFINITE_LIFETIME });
  const row = sent.map((each) => rig.send(each).row).at(-1);
  if (row === undefined) throw new Error("not registered");
  return forwardingEntry(row);
}

test.each([
  ["", "ip-in-ip", false],
  ["M", "minimal", false],
  ["G", "gre", false],
  ["MG", "gre", false],
  ["T", "ip-in-ip", true],
  ["DGT", "gre", true],
] as const)(
  "a mobile that registers with the flags '%s' gets a tunnel of %s, for its own packets too: %s",
  (flags, encapsulation, isReverse) => {
    expect(entryAfter({ flags, lifetime: 600 })).toEqual({
      homeAddress: ipv4("10.64.1.1"),
      tunnels: [{ careOfAddress: ipv4(FA1), encapsulation, isReverse, expiresAtMs: START_MS + 600_000 }],
    });
  },
);

test("simultaneous bindings are tunnels of their own, the oldest first; a deregistration leaves none", () => {
  const first = { careOf: FA1 };
  const second = { careOf: FA2, flags: "SG", lifetime: INFINITE_LIFETIME };
  expect(entryAfter(first, second).tunnels).toMatchObject([
    { careOfAddress: ipv4(FA1), encapsulation: "ip-in-ip" },
    { careOfAddress: ipv4(FA2), encapsulation: "gre", expiresAtMs: Number.POSITIVE_INFINITY },
  ]);
  expect(entryAfter(first, { lifetime: 0 }).tunnels).toEqual([]);
});

const HOME_ADDRESSES = ["0.0.0.0", "10.64.1.1", "10.64.1.2"].map(ipv4);

/** A row of one of few mobiles, with one of few home addresses: they collide and move. */
const anyRow = fc
  .record({
    mobile: fc.constantFrom<Binding["mobile"]>("ip:10.64.1.1", "nai:a@example.com", "nai:b@example.com"),
    homeAddress: fc.constantFrom(...HOME_ADDRESSES),
    expiries: fc.array(fc.nat(), { maxLength: 2 }),
  })
  .map(({ mobile, homeAddress, expiries }): Binding => {
    const rig = new Rig();
    const { row } = rig.send({});
    const [careOf] = row?.registration.careOfAddresses ?? [];
    if (row === undefined || careOf === undefined) throw new Error("not registered");
    const careOfAddresses = expiries.map((expiresAtMs) => ({ ...careOf, expiresAtMs }));
    return { ...row, mobile, homeAddress, registration: { ...row.registration, careOfAddresses } };
  });
const anyChange = fc.oneof(
  { weight: 4, arbitrary: anyRow },
  fc.constantFrom("ip:10.64.1.1", "nai:a@example.com", "nai:b@example.com"),
  fc.constant("take" as const),
);

test("whoever applies the changes has what the rows say, after any changes, whenever they are taken", () => {
  fc.assert(
    fc.property(fc.array(anyChange, { maxLength: 30 }), (changes) => {
      const rows = new Map<string, Binding>();
      const rowOf = (address: Ipv4Address) => rows.values().find(({ homeAddress }) => homeAddress === address);
      const entryOf = (homeAddress: Ipv4Address) => {
        const row = rowOf(homeAddress);
        return row === undefined ? { homeAddress, tunnels: [] } : forwardingEntry(row);
      };
      const forwarding = new ForwardingChanges();
      const applied = new Map<Ipv4Address, readonly Tunnel[]>();
      for (const change of [...changes, "take" as const]) {
        if (change === "take") {
          for (const { homeAddress, tunnels } of forwarding.take(entryOf)) applied.set(homeAddress, tunnels);
          continue;
        }
        const name = typeof change === "string" ? change : change.mobile;
        const after = typeof change === "string" ? undefined : change;
        forwarding.rowChanged(rows.get(name), after);
        if (after === undefined) rows.delete(name);
        else rows.set(name, after);
      }
      for (const address of HOME_ADDRESSES.slice(1)) {
        const row = rowOf(address);
        expect(applied.get(address) ?? []).toEqual(row === undefined ? [] : forwardingEntry(row).tunnels);
      }
      expect(applied.has(ipv4("0.0.0.0"))).toBe(false);
    }),
  );
});

test("a change of who owns the mobile changes nothing about its packets", () => {
  const { row } = new Rig().send({});
  if (row === undefined) throw new Error("not registered");
  const forwarding = new ForwardingChanges();
  forwarding.rowChanged(row, { ...row, ownership: { ...row.ownership, owner: "ha9", generation: 9 } });
  expect(forwarding.take(() => forwardingEntry(row))).toEqual([]);
});

test("a mobile's packets are forwarded before it hears that it is registered, on its owner and on its backups", () => {
  const cluster = new TestCluster(3);
  const seen: string[] = [];
  for (const id of ["ha1", "ha2", "ha3"]) {
    const agent = cluster.agent(id);
    agent.startForwarding();
    cluster.observe(id, (output) => {
      if (output.type === "forward") seen.push(`${id} forwards`);
      if (output.type === "reply") seen.push("reply");
    });
  }
  const homeAddress = cluster.homeAddressRanked("ha1", "ha2", "ha3");
  cluster.register("ha1", { homeAddress });
  expect(seen.toSorted()).toEqual(["ha1 forwards", "ha2 forwards", "ha3 forwards", "reply"]);
  // One backup has it on its disk, and the other one may be slower.
  expect(seen.indexOf("reply")).toBeGreaterThanOrEqual(2);
  expect(seen[0]).toBe("ha1 forwards");
});

test("what is registered is among the entries that forwarding starts with, what has ended is not", () => {
  const cluster = new TestCluster(2);
  cluster.register("ha1", { homeAddress: "10.64.1.1" });
  cluster.register("ha1", { homeAddress: "10.64.1.2" });
  cluster.register("ha1", { homeAddress: "10.64.1.2", lifetime: 0 });
  expect([...cluster.agent("ha1").forwardingEntries].map(({ homeAddress }) => homeAddress)).toEqual([
    ipv4("10.64.1.1"),
  ]);
});
