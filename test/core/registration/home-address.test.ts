/** RFC 2794 1 and RFC 5944 3.8.3.2: the home address that a mobile names, or gets from the pool. */
import { describe, expect, test } from "vitest";
import { FA1, FA2, KEYS, Rig } from "./rig.ts";
import { ACCEPTED, denied, play } from "./scenario.ts";

const mobile = (name: string) => ({ nai: `${name}@example.com`, credential: KEYS.roaming });
const [ann, bob, cat, dan, eve] = [mobile("ann"), mobile("bob"), mobile("cat"), mobile("dan"), mobile("eve")];
const FOUR = [ann, bob, cat, dan];

describe("a home address that the mobile names", () => {
  play([
    {
      rule: "an address outside of the home networks is answered 129",
      steps: [{ send: { ...bob, home: "192.0.2.77" }, expect: denied(129, "home-address-not-served") }],
    },
    {
      rule: "the virtual address, and the network and broadcast addresses of a home network, are answered 129",
      steps: ["10.64.0.1", "10.64.0.0", "10.79.255.255"].map((home) => ({
        send: { home, credential: KEYS.wide },
        expect: denied(129, "home-address-not-served"),
      })),
    },
    {
      rule: "an address that another mobile has is answered 129",
      steps: [
        { send: { home: "10.64.1.1" }, expect: ACCEPTED },
        { send: { ...bob, home: "10.64.1.1" }, expect: denied(129, "home-address-taken") },
        { send: { ...bob, home: "10.64.5.5" }, expect: { ...ACCEPTED, home: "10.64.5.5" } },
        { send: { ...cat, home: "10.64.5.5" }, expect: denied(129, "home-address-taken") },
      ],
    },
    {
      rule: "an address of any member's pool is not had by naming it, except by the NAI that it was given to",
      steps: [
        { send: { home: "10.79.1.1", credential: KEYS.wide }, expect: denied(129, "home-address-of-pool") },
        { send: { ...bob, home: "10.79.1.1" }, expect: denied(129, "home-address-of-pool") },
        { send: { ...bob, home: "10.79.2.1" }, expect: denied(129, "home-address-of-pool") },
        { send: bob, expect: { ...ACCEPTED, home: "10.79.1.0" } },
        { send: { ...bob, home: "10.79.1.0" }, expect: { ...ACCEPTED, home: "10.79.1.0" } },
        { send: { ...cat, home: "10.79.1.0" }, expect: denied(129, "home-address-taken") },
      ],
    },
    {
      rule: "a mobile with an NAI that names another home address moves there, without its previous bindings",
      steps: [
        { send: { ...bob, home: "10.64.5.5" }, expect: { ...ACCEPTED, home: "10.64.5.5", careOf: [FA1] } },
        { send: { ...bob, home: "10.64.5.6", careOf: FA2, flags: "S" }, expect: { ...ACCEPTED, careOf: [FA2] } },
        { send: { ...cat, home: "10.64.5.5" }, expect: ACCEPTED },
      ],
    },
    {
      rule: "a mobile with an NAI that names no address gets the one that it named before",
      steps: [
        { send: { ...bob, home: "10.64.5.5" }, expect: ACCEPTED },
        { send: bob, expect: { ...ACCEPTED, home: "10.64.5.5" } },
      ],
    },
  ]);
});

describe("a home address from the pool", () => {
  play([
    {
      rule: "each NAI gets an address of its own, and the same again while it is registered",
      steps: [
        { send: ann, expect: { ...ACCEPTED, home: "10.79.1.0", nai: ann.nai } },
        { send: bob, expect: { ...ACCEPTED, home: "10.79.1.1", nai: bob.nai } },
        { send: { ...ann, careOf: FA2 }, expect: { ...ACCEPTED, home: "10.79.1.0", careOf: [FA2] } },
        { send: { ...bob, home: "10.79.1.1" }, expect: { ...ACCEPTED, home: "10.79.1.1" } },
      ],
    },
    {
      rule: "an NAI gets the same address again after it deregistered, and after its binding expired",
      steps: [
        { send: ann, expect: { ...ACCEPTED, home: "10.79.1.0" } },
        { send: { ...ann, lifetime: 0, careOf: "10.79.1.0", source: FA1 }, expect: { ...ACCEPTED, careOf: [] } },
        { after: 10, send: bob, expect: { ...ACCEPTED, home: "10.79.1.1" } },
        { after: 1000, send: { ...ann, lifetime: 60 }, expect: { ...ACCEPTED, home: "10.79.1.0" } },
        { after: 3600, send: ann, expect: { ...ACCEPTED, home: "10.79.1.0" } },
      ],
    },
    {
      rule: "a released address is given to others when it has been reserved long enough, and last of all",
      policy: { poolStickinessMs: 1_000_000 },
      steps: [
        { send: { ...ann, lifetime: 60 }, expect: { ...ACCEPTED, home: "10.79.1.0" } },
        { after: 1100, send: bob, expect: { ...ACCEPTED, home: "10.79.1.1" } },
        { send: cat, expect: { ...ACCEPTED, home: "10.79.1.2" } },
        { send: dan, expect: { ...ACCEPTED, home: "10.79.1.3" } },
        { send: eve, expect: { ...ACCEPTED, home: "10.79.1.0" } },
      ],
    },
    {
      rule: "an exhausted pool is answered 130",
      steps: [
        ...FOUR.map((send, index) => ({ send, expect: { ...ACCEPTED, home: `10.79.1.${index}` } })),
        { send: eve, expect: { ...denied(130, "pool-exhausted"), home: "0.0.0.0" } },
        { send: ann, expect: ACCEPTED },
      ],
    },
    {
      rule: "a home agent without a pool answers 130",
      policy: { pool: [] },
      steps: [{ send: ann, expect: denied(130, "pool-exhausted") }],
    },
    {
      rule: "an exhausted pool takes back the address that was released first",
      steps: [
        ...FOUR.map((send) => ({ send, expect: ACCEPTED })),
        { after: 60, send: { ...cat, lifetime: 0 }, expect: ACCEPTED },
        { after: 60, send: { ...ann, lifetime: 0 }, expect: ACCEPTED },
        { send: eve, expect: { ...ACCEPTED, home: "10.79.1.2" } },
        { send: cat, expect: { ...ACCEPTED, home: "10.79.1.0" } },
        { send: ann, expect: denied(130, "pool-exhausted") },
      ],
    },
    {
      rule: "a mobile whose reserved address was taken back is still safe from replays",
      steps: [
        ...FOUR.map((send) => ({ send, expect: ACCEPTED })),
        { send: { ...cat, lifetime: 0 }, expect: ACCEPTED },
        { send: eve, expect: { ...ACCEPTED, home: "10.79.1.2" } },
        { send: { ...eve, lifetime: 0 }, expect: ACCEPTED },
        { send: 3, expect: denied(133, "identification-mismatch") },
        { send: 5, expect: denied(133, "identification-mismatch") },
      ],
    },
    {
      rule: "a request that is denied takes no address",
      steps: [
        { send: { ...ann, flags: "M" }, expect: denied(139, "encapsulation-unavailable") },
        ...FOUR.slice(1).map((send) => ({ send, expect: ACCEPTED })),
        { send: eve, expect: ACCEPTED },
      ],
    },
    {
      rule: "addresses that cannot be home addresses are not in the pool",
      policy: { pool: [{ first: 0x0a400000 as never, last: 0x0a400002 as never }] },
      steps: [
        { send: ann, expect: { ...ACCEPTED, home: "10.64.0.2" } },
        { send: bob, expect: denied(130, "pool-exhausted") },
      ],
    },
  ]);

  test("the addresses of rows that were loaded are taken", () => {
    const [before, after] = [new Rig(), new Rig()];
    before.send(ann);
    before.send(bob);
    for (const row of before.rows.values()) after.change(undefined, row);
    expect(after.send(cat).home).toBe("10.79.1.2");
    expect(after.send({ ...bob, aheadMs: 1 }).home).toBe("10.79.1.1");
  });

  test("of two mobiles that got the same address on two sides of a partition, the second to come gets another", () => {
    const [here, there] = [new Rig(), new Rig()];
    here.send(ann);
    there.send(bob);
    for (const row of there.rows.values()) here.change(undefined, row);
    expect(here.send({ ...ann, aheadMs: 1 }).home).toBe("10.79.1.0");
    expect(here.send({ ...bob, aheadMs: 1 }).home).toBe("10.79.1.1");
    expect(here.send({ ...bob, home: "10.79.1.0", aheadMs: 2 })).toMatchObject(denied(129, "home-address-taken"));
  });

  test("an address whose row is rolled back is free again", () => {
    const rig = new Rig();
    const { row } = rig.send(ann);
    rig.change(row, undefined);
    for (const other of [bob, cat, dan, eve]) expect(rig.send(other).outcome).toBe("accepted");
  });

  test("an address that lies outside of the home networks by now is given up for another", () => {
    const [before, after] = [new Rig({ pool: [{ first: 0x0a4f0107 as never, last: 0x0a4f0107 as never }] }), new Rig()];
    expect(before.send(ann).home).toBe("10.79.1.7");
    const narrowed = new Rig({ homeNetworks: [{ address: 0x0a4f0100 as never, length: 30 }] });
    for (const row of before.rows.values()) narrowed.change(undefined, row);
    expect(narrowed.send({ ...ann, aheadMs: 1 }).home).toBe("10.79.1.1");
    for (const row of before.rows.values()) after.change(undefined, row);
    expect(after.send({ ...ann, aheadMs: 1 }).home).toBe("10.79.1.7");
  });
});
