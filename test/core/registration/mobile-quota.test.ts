/** Whoever holds the key of many mobiles can't fill the memory with names that it makes up. */
import { expect, test } from "vitest";
import { ReplyCode } from "../../../src/core/wire/reply-code.ts";
import { KEYS, Rig } from "./rig.ts";

const roaming = (name: string) => ({ nai: `${name}@example.com`, credential: KEYS.roaming });

test("a new mobile beyond the quota of its association is answered 130, those that have a row go on", () => {
  const rig = new Rig({ maximumMobilesPerAssociation: 2 });
  expect(rig.send(roaming("ann")).reply?.code).toBe(ReplyCode.Accepted);
  expect(rig.send(roaming("bob")).reply?.code).toBe(ReplyCode.Accepted);
  expect(rig.send(roaming("cat")).reply?.code).toBe(ReplyCode.Resources);
  rig.passSeconds(1);
  expect(rig.send(roaming("ann")).reply?.code).toBe(ReplyCode.Accepted);
});

test("a tombstone counts as long as it is kept, and then no more", () => {
  const rig = new Rig({ maximumMobilesPerAssociation: 1, poolStickinessMs: 0 });
  const home = rig.send({ ...roaming("ann"), lifetime: 60 }).row?.homeAddress;
  expect(home).toBeDefined();
  rig.passSeconds(61);
  expect(rig.send(roaming("bob")).reply?.code).toBe(ReplyCode.Resources);
  rig.passSeconds(600);
  expect(rig.send(roaming("bob")).reply?.code).toBe(ReplyCode.Accepted);
});

test("what a mobile leaves at the addresses that it names one after the other is kept against replays alone", () => {
  const rig = new Rig({ maximumMobilesPerAssociation: 1 });
  for (let number = 1; number <= 100; number++) {
    const sent = { ...roaming("ann"), home: `10.65.1.${number}`, lifetime: 3600 };
    expect(rig.send(sent).code).toBe(ReplyCode.Accepted);
  }
  // Twice the window, and as much as clocks may differ.
  rig.passSeconds(75);
  expect([...rig.rows.keys()]).toEqual(["nai:ann@example.com"]);
});

test("a mobile that comes to count for another association, by signing with another key, is a new one there", () => {
  const rig = new Rig({ maximumMobilesPerAssociation: 1 });
  expect(rig.send(roaming("ann")).reply?.code).toBe(ReplyCode.Accepted);
  const byRange = { nai: "bob@example.com", home: "10.64.1.1" };
  expect(rig.send(byRange).reply?.code).toBe(ReplyCode.Accepted);
  expect(rig.send({ ...byRange, credential: KEYS.roaming }).reply?.code).toBe(ReplyCode.Resources);
  rig.passSeconds(1);
  expect(rig.send(byRange).reply?.code).toBe(ReplyCode.Accepted);
});

test("a mobile counts for the key that it has signed with, whatever realm it names: nobody fills the quota of others", () => {
  const rig = new Rig({ maximumMobilesPerAssociation: 3 });
  for (const number of [1, 2, 3]) {
    const named = { nai: `m${number}@example.com`, home: `10.64.1.${number}` };
    expect(rig.send(named).reply?.code).toBe(ReplyCode.Accepted);
  }
  expect(rig.send({ nai: "m4@example.com", home: "10.64.1.4" }).reply?.code).toBe(ReplyCode.Resources);
  expect(rig.send(roaming("ann")).reply?.code).toBe(ReplyCode.Accepted);
});

test("mobiles of other associations are not affected", () => {
  const rig = new Rig({ maximumMobilesPerAssociation: 1 });
  expect(rig.send(roaming("ann")).reply?.code).toBe(ReplyCode.Accepted);
  expect(rig.send({}).reply?.code).toBe(ReplyCode.Accepted);
});

test("where an exhausted pool gives a reserved address to somebody else, the tombstone is kept for replays alone", () => {
  const rig = new Rig({ poolStickinessMs: 50_000_000 });
  for (const name of ["ann", "bob", "cat", "dan"]) rig.send({ ...roaming(name), lifetime: 60 });
  const ann = { ...roaming("ann"), lifetime: 0, careOf: "10.79.1.0", source: "192.0.2.1" };
  rig.passSeconds(1);
  expect(rig.send(ann).code).toBe(ReplyCode.Accepted);
  rig.passSeconds(600);
  expect(rig.rows.has("nai:ann@example.com")).toBe(true);
  expect(rig.send(roaming("eve")).code).toBe(ReplyCode.Accepted);
  rig.passSeconds(1);
  expect(rig.rows.has("nai:ann@example.com")).toBe(false);
});
