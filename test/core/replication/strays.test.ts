import { expect, test } from "vitest";
import type { Ownership } from "../../../src/core/bindings/binding.ts";
import { encodeBindingRow } from "../../../src/core/bindings/binding-row.ts";
import type { StreamMessage } from "../../../src/core/protocol/stream-messages.ts";
import { ipv4 } from "../../../src/core/wire/ipv4.ts";
import { said, TestCluster } from "../home-agent/test-cluster.ts";

test("a copy on its way back to its owner, who makes this member a backup again meanwhile, is kept", () => {
  const cluster = new TestCluster(3);
  const homeAddress = cluster.homeAddressRanked("ha1", "ha2", "ha3");
  const identity = { homeAddress: ipv4(homeAddress), nai: undefined };
  cluster.register("ha1", { homeAddress });
  const older = cluster.agent("ha2").findBinding(identity);
  cluster.register("ha1", { homeAddress });
  const newer = cluster.agent("ha2").findBinding(identity);
  if (older === undefined || newer === undefined) throw new Error("ha2 is no backup");
  let number = 100;
  const tell = (row: typeof newer, ownership: Ownership) =>
    cluster.say("ha1", "ha2", { type: "rows", number: number++, rows: [encodeBindingRow({ ...row, ownership })] });
  // Nothing is acknowledged before it is on a disk.
  cluster.commitAtOnce = false;
  tell(older, { owner: "ha1", backups: ["ha3"], generation: 2 });
  tell(newer, { owner: "ha1", backups: ["ha3", "ha2"], generation: 3 });
  cluster.say("ha1", "ha2", { type: "ack", number: 100 });
  cluster.commit("ha2");
  expect(cluster.agent("ha2").findBinding(identity)).toMatchObject({ ownership: { generation: 3 } });
  expect(cluster.diskRows("ha2").get(`binding ${newer.mobile}`)).toBeDefined();
});

test("a copy is kept as long as its owner can't be relayed to, and goes when it can: old requests would be accepted without", () => {
  const cluster = new TestCluster(3);
  const homeAddress = cluster.homeAddressRanked("ha1", "ha2", "ha3");
  const identity = { homeAddress: ipv4(homeAddress), nai: undefined };
  const recorded = cluster.request({ homeAddress });
  cluster.datagram("ha1", recorded);
  cluster.register("ha1", { homeAddress });
  // Streams work, and ha1 is not heard: it hears that, and can relay to nobody.
  cluster.loses = (from) => from === "ha1";
  cluster.passTime(1500);
  expect(cluster.agent("ha2").findBinding(identity)?.ownership.owner).not.toBe("ha1");
  cluster.replies.length = 0;
  cluster.datagram("ha1", recorded);
  expect(cluster.replies.filter(({ reply }) => reply.code <= 1)).toEqual([]);
  cluster.loses = () => false;
  cluster.passTime(2000);
  const rows = ["ha1", "ha2", "ha3"].map((id) => cluster.agent(id).findBinding(identity)?.ownership);
  expect(new Set(rows.map((row) => JSON.stringify(row))).size).toBe(1);
});

/** As simulated by 5 nodes, two faults at once, seed 106. */
test("a copy that was on its way to its owner when the stream ended is sent again, and kept until the owner has it", () => {
  const cluster = new TestCluster(4);
  const homeAddress = cluster.homeAddressRanked("ha1", "ha2", "ha3");
  const identity = { homeAddress: ipv4(homeAddress), nai: undefined };
  cluster.register("ha1", { homeAddress });
  const row = cluster.agent("ha2").findBinding(identity);
  if (row === undefined) throw new Error("ha2 is no backup");
  const { registration, ownership, mobile, nai, homeAddressSinceMs } = row;
  const identification = registration.identification + 1n;
  const newer = { ...row, registration: { ...registration, identification } };
  const hear = (to: string, peer: string, message: StreamMessage) => cluster.input(to, said(peer, message));
  const elsewhere = { ...ownership, backups: ["ha3", "ha4"], generation: 2 };
  hear("ha1", "ha3", { type: "rows", number: 100, rows: [encodeBindingRow({ ...row, ownership: elsewhere })] });
  hear("ha2", "ha3", { type: "rows", number: 100, rows: [encodeBindingRow(newer)] });
  cluster.holds = ({ type }) => type === "rows";
  const moved = {
    mobile,
    nai,
    homeAddress: row.homeAddress,
    homeAddressSinceMs,
    knownUntilMs: registration.retainUntilMs,
  };
  hear("ha2", "ha1", { type: "moved", ...moved, ...elsewhere });
  // What is held now never arrives.
  cluster.breakStream("ha1", "ha2");
  cluster.holds = () => false;
  cluster.heal();
  cluster.passTime(12_000, 200);
  for (const id of ["ha1", "ha3", "ha4"])
    expect(cluster.agent(id).findBinding(identity)?.registration.identification, id).toBe(identification);
  expect(cluster.agent("ha2").findBinding(identity)).toBeUndefined();
});
