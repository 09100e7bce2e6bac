import { expect, test } from "vitest";
import type { Ownership } from "../../src/registration/binding.ts";
import { encodeBindingRow } from "../../src/registration/binding-row.ts";
import { ipv4 } from "../../src/wire/ipv4.ts";
import { TestCluster } from "../cluster/test-cluster.ts";

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
    cluster.input("ha2", {
      type: "stream",
      peer: "ha1",
      message: { type: "rows", number: number++, rows: [encodeBindingRow({ ...row, ownership })] },
    });
  // Nothing is acknowledged before it is on a disk.
  cluster.commitAtOnce = false;
  tell(older, { owner: "ha1", backups: ["ha3"], generation: 2 });
  tell(newer, { owner: "ha1", backups: ["ha3", "ha2"], generation: 3 });
  cluster.input("ha2", { type: "stream", peer: "ha1", message: { type: "ack", number: 100 } });
  cluster.commit("ha2");
  expect(cluster.agent("ha2").findBinding(identity)).toMatchObject({ ownership: { generation: 3 } });
  expect(cluster.diskRows("ha2").get(`binding ${newer.mobile}`)).toBeDefined();
});
