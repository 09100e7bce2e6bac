/** An operator lets a mobile in again that is locked out by an Identification from a clock that was wrong. */
import { describe, expect, test } from "vitest";
import { formatIpv4, ipv4 } from "../../../src/core/wire/ipv4.ts";
import { ntpFromEpochMs } from "../../../src/core/wire/ntp-timestamp.ts";
import { ReplyCode } from "../../../src/core/wire/reply-code.ts";
import { TestCluster } from "./test-cluster.ts";

const IDS = ["ha1", "ha2", "ha3"];

/** A mobile whose last Identification lies ahead, so that its clock, set right, is refused. */
function lockedOut() {
  const cluster = new TestCluster(3);
  cluster.passTime(8000);
  const homeAddress = cluster.homeAddressRanked("ha1", "ha2", "ha3");
  const identity = { homeAddress: ipv4(homeAddress), nai: undefined };
  const ahead = cluster.request({ homeAddress, identification: ntpFromEpochMs(cluster.wallMs + 6500) });
  cluster.datagram("ha1", ahead);
  expect(cluster.replies.at(-1)?.reply.code).toBe(ReplyCode.Accepted);
  const ask = () => cluster.register("ha1", { homeAddress })?.reply.code;
  expect(ask()).toBe(ReplyCode.IdentificationMismatch);
  const forget = (id: string) => cluster.deleteBinding(id, identity, { forgetReplay: true });
  return { cluster, homeAddress, identity, ahead, ask, forget };
}

test("whose replay state can't be forgotten by a backup keeps it, and what others accept then", () => {
  const { cluster, homeAddress, identity, forget } = lockedOut();
  cluster.separate("ha1", "ha2");
  cluster.separate("ha1", "ha3");
  cluster.passTime(2000);
  expect(forget("ha1").outcome).toBe("too-few-backups");
  expect(cluster.agent("ha1").findBinding(identity)?.registration.replayResets).toBe(0);
  cluster.kill("ha1");
  cluster.passTime(8000);
  expect(cluster.register("ha2", { homeAddress })?.reply.code).toBe(ReplyCode.Accepted);
  const accepted = cluster.agent("ha2").findBinding(identity)?.registration;
  cluster.heal();
  cluster.restart("ha1");
  cluster.passTime(3000);
  for (const id of IDS) expect(cluster.agent(id).findBinding(identity)?.registration).toEqual(accepted);
});

test("whose replay state is forgotten is said to be so once it is on a backup's disk", () => {
  const { cluster, forget } = lockedOut();
  cluster.holds = ({ type }) => type === "rows";
  const deletion = forget("ha1");
  cluster.passTime(900);
  expect(deletion.outcome).toBeUndefined();
  cluster.release();
  expect(deletion.outcome).toBe("deleted");
});

test("whose replay state is forgotten on its owner's disk alone is not said to be safe", () => {
  const { cluster, forget } = lockedOut();
  cluster.holds = ({ type }) => type === "rows";
  const deletion = forget("ha1");
  cluster.passTime(2100);
  expect(deletion.outcome).toBe("unconfirmed");
});

test("whose binding is deleted stays locked out: that ends a binding, and no more", () => {
  const { cluster, identity, ask } = lockedOut();
  expect(cluster.deleteBinding("ha1", identity).outcome).toBe("deleted");
  expect(ask()).toBe(ReplyCode.IdentificationMismatch);
});

describe("whose replay state is forgotten", () => {
  test("is let in at once, by every member that takes it over", () => {
    const { cluster, identity, ask, forget } = lockedOut();
    expect(forget("ha1").outcome).toBe("deleted");
    for (const id of IDS)
      expect(cluster.agent(id).findBinding(identity)?.registration).toMatchObject({
        careOfAddresses: [],
        replayResets: 1,
      });
    cluster.kill("ha1");
    cluster.passTime(2000);
    expect(cluster.register("ha2", { homeAddress: formatIpv4(identity.homeAddress) })?.reply.code).toBe(
      ReplyCode.Accepted,
    );
    cluster.restart("ha1");
    expect(ask()).toBe(ReplyCode.Accepted);
  });

  test("also where nothing but the tombstone is left of it", () => {
    const { cluster, homeAddress, ask, forget } = lockedOut();
    const identification = ntpFromEpochMs(cluster.wallMs + 6900);
    cluster.register("ha1", { homeAddress, lifetime: 0, careOfAddress: homeAddress, identification });
    expect(ask()).toBe(ReplyCode.IdentificationMismatch);
    forget("ha1");
    expect(ask()).toBe(ReplyCode.Accepted);
  });

  test("stays so when a member returns that was away with the old copy", () => {
    const { cluster, identity, ask, forget } = lockedOut();
    cluster.separate("ha1", "ha2");
    cluster.separate("ha3", "ha2");
    cluster.passTime(2000);
    forget("ha1");
    cluster.heal();
    cluster.passTime(2000);
    for (const id of IDS) expect(cluster.agent(id).findBinding(identity)?.registration.replayResets).toBe(1);
    expect(ask()).toBe(ReplyCode.Accepted);
  });

  test("on one side of a partition keeps what the other side has accepted that was signed later than what was forgotten", () => {
    const { cluster, homeAddress, identity, forget } = lockedOut();
    for (const one of ["ha1", "ha2"]) cluster.separate(one, "ha3");
    // Until its clock has caught up with what it signed last.
    cluster.passTime(8000);
    expect(cluster.register("ha3", { homeAddress })?.reply.code).toBe(ReplyCode.Accepted);
    const registration = (id: string) => {
      const { identification, careOfAddresses } = cluster.agent(id).findBinding(identity)?.registration ?? {};
      return { identification, careOfAddresses };
    };
    const accepted = registration("ha3");
    expect(forget("ha1").outcome).toBe("deleted");
    cluster.heal();
    cluster.passTime(3000);
    expect(accepted.careOfAddresses).toHaveLength(1);
    for (const id of IDS) expect(registration(id)).toEqual(accepted);
  });

  test("is asked for something newer than that moment: what was recorded before is refused", () => {
    const { cluster, homeAddress, forget } = lockedOut();
    const recorded = cluster.request({ homeAddress });
    cluster.passTime(500);
    forget("ha1");
    const before = cluster.replies.length;
    cluster.datagram("ha1", recorded);
    expect(cluster.replies.slice(before).map(({ reply }) => reply.code)).toEqual([ReplyCode.IdentificationMismatch]);
  });
});
