import { describe, expect, it } from "vitest";
import { decodeBindingRow } from "../../../src/core/bindings/binding-row.ts";
import { formatIpv4, ipv4 } from "../../../src/core/wire/ipv4.ts";
import { ReplyCode } from "../../../src/core/wire/reply-code.ts";
import { TestCluster } from "../home-agent/test-cluster.ts";

function identity(homeAddress: string) {
  return { homeAddress: ipv4(homeAddress), nai: undefined };
}

/** Each member's view of a mobile's row, as "OWNER/GENERATION:BACKUPS @IDENTIFICATION". */
function views(cluster: TestCluster, homeAddress: string, ids: readonly string[]): (string | undefined)[] {
  return ids.map((id) => {
    const row = cluster.agent(id).findBinding(identity(homeAddress));
    return (
      row &&
      `${row.ownership.owner}/${row.ownership.generation}:${row.ownership.backups} @${row.registration.identification}`
    );
  });
}

describe("a registration", () => {
  it("is answered only when a backup has it on its disk as well", () => {
    const cluster = new TestCluster(3);
    const homeAddress = cluster.homeAddressRanked("ha2", "ha3", "ha1");
    cluster.commitAtOnce = false;
    cluster.register("ha2", { homeAddress });
    cluster.commit("ha2");
    expect(cluster.replies).toEqual([]);
    cluster.commit("ha1");
    expect(cluster.replies).toMatchObject([{ from: "ha2", reply: { code: 0 } }]);
  });

  it("is on its owner and its backups, and nowhere else", () => {
    const cluster = new TestCluster(5);
    const homeAddress = cluster.homeAddressRanked("ha2", "ha3", "ha4");
    cluster.register("ha1", { homeAddress });
    const held = ["ha1", "ha2", "ha3", "ha4", "ha5"].filter((id) =>
      cluster.agent(id).findBinding(identity(homeAddress)),
    );
    expect(held).toEqual(["ha2", "ha3", "ha4"]);
  });

  it("is on the next in the ranking of its home address, whatever its NAI is and wherever the address comes from", () => {
    const cluster = new TestCluster(6);
    const nai = cluster.naiRanked("ha2", "ha3", "ha4");
    const homeAddress = cluster.homeAddressRanked("ha2", "ha5", "ha6");
    cluster.register("ha1", { nai, homeAddress });
    const named = identity(homeAddress);
    expect(cluster.agent("ha2").findBinding(named)?.ownership.backups).toEqual(["ha5", "ha6"]);
    for (const user of cluster.naisRanked(3, "ha2")) {
      const given = cluster.register("ha1", { nai: user, homeAddress: "0.0.0.0" })?.reply.homeAddress;
      const [owner, ...others] = cluster.rankingOf(`ip:${formatIpv4(given ?? ipv4("0.0.0.0"))}`);
      const row = cluster.agent(owner ?? "").findBinding({ homeAddress: ipv4("0.0.0.0"), nai: user });
      expect(row?.ownership).toMatchObject({ owner, backups: others.slice(0, 2) });
    }
  });

  it("is on a backup's disk with all that the ingress's permanent binding has", () => {
    const cluster = new TestCluster(3);
    const nai = cluster.naiRanked("ha2", "ha3");
    const sent = cluster.register("ha1", { nai, homeAddress: "0.0.0.0", lifetime: 900 });
    const permanent = cluster.agent("ha1").findLocation({ homeAddress: ipv4("0.0.0.0"), nai });
    expect(permanent).toMatchObject({ homeAddress: sent?.reply.homeAddress, owner: "ha2" });
    const row = decodeBindingRow(cluster.diskRows("ha3").get(`binding nai:${nai}`) ?? new Uint8Array());
    expect(row).toMatchObject({
      nai,
      homeAddress: permanent?.homeAddress,
      ownership: { owner: "ha2" },
      registration: {
        careOfAddresses: [
          {
            foreignAgent: permanent?.ingress?.foreignAgent,
            careOfAddress: permanent?.ingress?.careOfAddress,
            lifetimeSeconds: 900,
            expiresAtMs: permanent?.ingress?.expiresAtMs,
            ingress: "ha1",
          },
        ],
      },
    });
  });

  it("is granted a short lifetime where no backup is in reach, and says so to nobody but the reply", () => {
    const cluster = new TestCluster(2);
    cluster.kill("ha2");
    cluster.passTime(1500);
    expect(cluster.register("ha1", { lifetime: 1800 })?.reply).toMatchObject({ code: 0, lifetimeSeconds: 300 });
  });

  it("is not answered at all when its only backup is lost before it had it", () => {
    const cluster = new TestCluster(2);
    const homeAddress = cluster.homeAddressRanked("ha1");
    cluster.commitAtOnce = false;
    cluster.register("ha1", { homeAddress });
    cluster.commit("ha1");
    cluster.kill("ha2");
    cluster.commitAtOnce = true;
    cluster.passTime(3000);
    expect(cluster.replies).toEqual([]);
    expect(cluster.register("ha1", { homeAddress, lifetime: 1800 })?.reply.lifetimeSeconds).toBe(300);
  });
});

describe("a dead owner's binding", () => {
  it("is taken over by its least loaded backup, with its lifetime and replay state, without a registration", () => {
    const cluster = new TestCluster(4);
    const homeAddress = cluster.homeAddressRanked("ha2", "ha3", "ha4");
    const request = cluster.request({ homeAddress });
    cluster.datagram("ha1", request);
    const fill = (health: "ready" | "draining") => {
      for (const id of ["ha1", "ha2", "ha4"])
        cluster.input(id, { type: "vitals", health, announced: true, eventLoopDelayMs: 0, storeQueue: 0 });
    };
    fill("draining");
    for (const another of cluster.homeAddressesRanked(8, "ha3")) cluster.register("ha1", { homeAddress: another });
    expect(cluster.agent("ha3").counts.owned).toBe(8);
    fill("ready");
    cluster.passTime(400);
    const before = cluster.agent("ha3").findBinding(identity(homeAddress))?.registration;
    cluster.kill("ha2");
    cluster.passTime(2000);
    const row = cluster.agent("ha4").findBinding(identity(homeAddress));
    expect(row?.ownership).toMatchObject({ owner: "ha4", generation: 2 });
    expect(row?.registration).toEqual(before);
    cluster.datagram("ha3", request);
    const [first, last] = [cluster.replies[0], cluster.replies.at(-1)];
    expect(Buffer.from(last?.bytes ?? [])).toEqual(Buffer.from(first?.bytes ?? []));
  });

  it("has new backups at once, and survives the next death too", () => {
    const cluster = new TestCluster(4);
    const homeAddress = cluster.homeAddressRanked("ha2", "ha3", "ha4");
    cluster.register("ha1", { homeAddress });
    for (const victim of ["ha2", "ha3"]) {
      cluster.kill(victim);
      cluster.passTime(2500);
    }
    const owner = ["ha1", "ha4"].find(
      (id) => cluster.agent(id).findBinding(identity(homeAddress))?.ownership.owner === id,
    );
    expect(owner).toBeDefined();
    expect(cluster.register("ha1", { homeAddress })?.reply.code).toBe(0);
    expect(cluster.agent("ha1").counts.owned + cluster.agent("ha4").counts.owned).toBe(1);
  });

  it("is served with the newest registration, though the backup that decides had not got it", () => {
    const cluster = new TestCluster(3);
    const homeAddress = cluster.homeAddressRanked("ha1", "ha2", "ha3");
    cluster.register("ha1", { homeAddress });
    cluster.separate("ha1", "ha2");
    const newest = cluster.request({ homeAddress });
    cluster.datagram("ha1", newest);
    expect(cluster.replies).toHaveLength(2);
    cluster.kill("ha1");
    cluster.passTime(2500);
    const [two, three] = views(cluster, homeAddress, ["ha2", "ha3"]);
    expect(two).toBe(three);
    cluster.datagram("ha3", newest);
    expect(Buffer.from(cluster.replies.at(-1)?.bytes ?? [])).toEqual(Buffer.from(cluster.replies[1]?.bytes ?? []));
  });

  it("stays with its new owner when the old one returns, which becomes a backup (split brain is not possible)", () => {
    const cluster = new TestCluster(3);
    const homeAddress = cluster.homeAddressRanked("ha1", "ha2", "ha3");
    cluster.register("ha3", { homeAddress });
    cluster.kill("ha1");
    cluster.passTime(2500);
    cluster.register("ha3", { homeAddress });
    cluster.restart("ha1");
    cluster.passTime(1500);
    const seen = views(cluster, homeAddress, ["ha1", "ha2", "ha3"]);
    expect(new Set(seen).size).toBe(1);
    expect(seen[0]).not.toMatch(/^ha1/);
    expect(cluster.register("ha1", { homeAddress })?.reply.code).toBe(0);
    expect(cluster.agent("ha1").counts.owned).toBe(0);
  });

  it("is not taken over while somebody alive still hears the owner: only a path is broken", () => {
    const cluster = new TestCluster(3);
    const homeAddress = cluster.homeAddressRanked("ha1", "ha2", "ha3");
    cluster.register("ha1", { homeAddress });
    cluster.separate("ha1", "ha2");
    cluster.passTime(3000);
    expect([...cluster.agent("ha2").peers].map(({ id, state }) => `${id} ${state}`)).toEqual([
      "ha1 suspect",
      "ha3 alive",
    ]);
    expect(cluster.agent("ha1").counts.owned).toBe(1);
    expect(cluster.agent("ha2").counts.owned).toBe(0);
    expect(cluster.register("ha2", { homeAddress })?.reply.code).toBe(0);
    expect(cluster.agent("ha1").counts.owned).toBe(1);
  });
});

describe("bindings that are handed over", () => {
  it("are taken over whatever comes with them that can't be read", () => {
    const cluster = new TestCluster(3);
    const homeAddress = cluster.homeAddressRanked("ha1", "ha2", "ha3");
    cluster.register("ha1", { homeAddress });
    const row = cluster.diskRows("ha1").get(`binding ip:${homeAddress}`) ?? new Uint8Array();
    cluster.say("ha1", "ha2", { type: "handover", rows: [Buffer.from("{}"), row, Buffer.from("{")] });
    expect(cluster.agent("ha1").findBinding(identity(homeAddress))?.ownership.owner).toBe("ha2");
    expect(cluster.count("ha2", "frames-rejected malformed-row")).toBe(2);
  });
});

describe("a request for a dead owner's mobile that another backup is about to claim", () => {
  /** ha2 decides, and gives the mobile to ha3, which has less; the message is under way. */
  function handingOver(): { readonly cluster: TestCluster; readonly homeAddress: string } {
    const cluster = new TestCluster(4);
    const homeAddress = cluster.homeAddressRanked("ha1", "ha2", "ha3");
    cluster.register("ha4", { homeAddress });
    for (const busy of cluster.homeAddressesRanked(3, "ha2", "ha4")) cluster.register("ha2", { homeAddress: busy });
    cluster.holds = ({ type }) => type === "handover";
    cluster.kill("ha1");
    cluster.passTime(1500);
    cluster.replies.length = 0;
    return { cluster, homeAddress };
  }

  it.each(["ha2", "ha3", "ha4"])("waits for the claim, and is answered by the new owner, coming by %s", (ingress) => {
    const { cluster, homeAddress } = handingOver();
    cluster.register(ingress, { homeAddress });
    cluster.passTime(200);
    expect(cluster.replies).toEqual([]);
    expect(cluster.agent("ha2").queues.deferredRequests).toBe(1);
    cluster.release();
    expect(cluster.replies).toMatchObject([{ from: ingress, reply: { code: ReplyCode.Accepted } }]);
    expect(cluster.agent("ha2").findBinding(identity(homeAddress))?.ownership).toMatchObject({ owner: "ha3" });
    expect(cluster.count("ha3", "requests-served")).toBe(1);
  });

  it("is answered by the member that decided if the other never claims it", () => {
    const { cluster, homeAddress } = handingOver();
    cluster.register("ha4", { homeAddress });
    cluster.passTime(1500);
    expect(cluster.replies).toMatchObject([{ from: "ha4", reply: { code: ReplyCode.Accepted } }]);
    expect(cluster.agent("ha2").findBinding(identity(homeAddress))?.ownership).toMatchObject({ owner: "ha2" });
  });
});

describe("a partition", () => {
  it("costs no service on either side, and after the heal all copies are equal, with one owner and the newest registration", () => {
    const cluster = new TestCluster(4);
    const homeAddress = cluster.homeAddressRanked("ha1", "ha2", "ha3");
    cluster.register("ha1", { homeAddress });
    for (const one of ["ha1", "ha2"]) for (const other of ["ha3", "ha4"]) cluster.separate(one, other);
    cluster.passTime(2500);
    expect(cluster.register("ha2", { homeAddress })?.reply.code).toBe(0);
    expect(cluster.register("ha4", { homeAddress })?.reply.code).toBe(0);
    const newest = cluster.request({ homeAddress, careOfAddress: "192.0.2.77" });
    cluster.datagram("ha2", newest);
    expect(cluster.replies).toHaveLength(4);
    cluster.heal();
    cluster.passTime(3000);
    const ids = ["ha1", "ha2", "ha3", "ha4"];
    const seen = new Set(views(cluster, homeAddress, ids).filter((view) => view !== undefined));
    expect(seen.size).toBe(1);
    const owned = ids.map((id) => cluster.agent(id).counts.owned);
    expect(owned.reduce((sum, count) => sum + count)).toBe(1);
    const [row] = ids.flatMap((id) => cluster.agent(id).findBinding(identity(homeAddress)) ?? []);
    expect(row && formatIpv4(row.registration.careOfAddresses[0]?.careOfAddress ?? ipv4("0.0.0.0"))).toBe("192.0.2.77");
    expect(cluster.register("ha3", { homeAddress })?.reply.code).toBe(ReplyCode.Accepted);
  });
});

describe("a wiped store", () => {
  it("is filled again by the backups, and the owner is the owner again", () => {
    const cluster = new TestCluster(3);
    const homeAddress = cluster.homeAddressRanked("ha1", "ha2", "ha3");
    cluster.register("ha1", { homeAddress });
    cluster.kill("ha1");
    cluster.wipe("ha1");
    cluster.restart("ha1");
    cluster.passTime(1500);
    expect(new Set(views(cluster, homeAddress, ["ha1", "ha2", "ha3"])).size).toBe(1);
    expect(cluster.register("ha2", { homeAddress })?.reply.code).toBe(0);
  });
});

describe("draining", () => {
  it("gives every binding away, with its registration, and takes no new ones", () => {
    const cluster = new TestCluster(3);
    for (let number = 1; number <= 20; number++) cluster.register("ha2", { homeAddress: `10.70.9.${number}` });
    cluster.input("ha1", { type: "drain", draining: true });
    cluster.input("ha1", { type: "vitals", health: "draining", announced: true, eventLoopDelayMs: 0, storeQueue: 0 });
    cluster.passTime(2000);
    expect(cluster.agent("ha1").counts.owned).toBe(0);
    expect(cluster.agent("ha2").counts.owned + cluster.agent("ha3").counts.owned).toBe(20);
    for (let number = 1; number <= 20; number++) {
      expect(cluster.register("ha1", { homeAddress: `10.70.9.${number}` })?.reply.code).toBe(0);
    }
    expect(cluster.agent("ha1").counts.owned).toBe(0);
  });

  it.each(["ha1", "ha2", "ha3"])(
    "answers by its new owner what %s took in and the old one could not answer any more",
    (ingress) => {
      const cluster = new TestCluster(3);
      const homeAddress = cluster.homeAddressRanked("ha1", "ha2");
      cluster.register("ha1", { homeAddress });
      expect(
        cluster.agent("ha1").findBinding({ homeAddress: ipv4(homeAddress), nai: undefined })?.ownership.owner,
      ).toBe("ha1");

      cluster.commitAtOnce = false;
      expect(cluster.register(ingress, { homeAddress })).toBeUndefined();
      cluster.input("ha1", { type: "drain", draining: true });
      cluster.input("ha1", { type: "vitals", health: "draining", announced: true, eventLoopDelayMs: 0, storeQueue: 0 });
      cluster.passTime(100);
      expect(cluster.agent("ha1").counts.owned).toBe(0);
      const before = cluster.replies.length;
      cluster.commitAtOnce = true;
      for (const id of ["ha1", "ha2", "ha3"]) cluster.commit(id);
      cluster.passTime(100);
      expect(cluster.replies.slice(before).map(({ reply }) => reply.code)).toEqual([0]);
      expect(cluster.replies.at(-1)?.from).toBe(ingress);
    },
  );
});

describe("a disk that fails on a backup", () => {
  it("acknowledges nothing that it has not written, and has it all once it works again", () => {
    const cluster = new TestCluster(2);
    const homeAddress = cluster.homeAddressRanked("ha1");
    // That it can't store is not heard, or nobody would wait for it.
    cluster.loses = (from) => from === "ha2";
    cluster.breakDisk("ha2");
    cluster.register("ha1", { homeAddress });
    expect(cluster.replies).toEqual([]);
    cluster.mendDisk("ha2");
    expect([...cluster.diskRows("ha2").keys()]).toEqual([`binding ip:${homeAddress}`]);
  });
});

describe("rebalancing", () => {
  it("gives bindings to the members that the ranking places them on, also where those are no backups of them", () => {
    const cluster = new TestCluster(5);
    const homeAddresses = cluster.homeAddressesRanked(5, "ha1", "ha2", "ha3");
    cluster.kill("ha1");
    cluster.passTime(2000);
    for (const homeAddress of homeAddresses) cluster.register("ha4", { homeAddress });
    cluster.restart("ha1");
    cluster.passTime(1500);
    expect(cluster.agent("ha1").counts.owned).toBe(0);
    for (const id of ["ha2", "ha3", "ha4", "ha5"]) cluster.input(id, { type: "rebalance" });
    cluster.passTime(1500);
    for (const id of ["ha2", "ha3", "ha4", "ha5"])
      expect(cluster.agent(id).moveProgress).toMatchObject({ running: false, unclaimed: 0 });
    expect(cluster.agent("ha1").counts.owned).toBe(5);
    for (const homeAddress of homeAddresses) expect(cluster.register("ha5", { homeAddress })?.reply.code).toBe(0);
  });

  it("ends also where those who are given bindings don't claim them, and says how many", () => {
    const cluster = new TestCluster(3, { copies: 0 });
    const homeAddresses = cluster.homeAddressesRanked(3, "ha1", "ha2");
    cluster.kill("ha1");
    cluster.passTime(2000);
    for (const homeAddress of homeAddresses) cluster.register("ha2", { homeAddress });
    cluster.restart("ha1");
    cluster.passTime(1500);
    cluster.breakStream("ha1", "ha2");
    const bindings = cluster.agent("ha2").counts.owned;
    expect(bindings).toBeGreaterThan(0);
    cluster.input("ha2", { type: "rebalance" });
    cluster.passTime(1000);
    expect(cluster.agent("ha2").moveProgress).toMatchObject({ running: true, bindings, moved: 0 });
    cluster.passTime(2000);
    expect(cluster.agent("ha2").moveProgress).toMatchObject({ running: false, moved: 0, unclaimed: bindings });
    expect(cluster.agent("ha2").counts.owned).toBe(bindings);
  });
});

describe("a member that stood still", () => {
  it("takes no request before the others hear it again: they may have taken its mobiles over", () => {
    const cluster = new TestCluster(3);
    const homeAddress = cluster.homeAddressRanked("ha1", "ha2", "ha3");
    cluster.register("ha1", { homeAddress });
    cluster.loses = (from) => from === "ha1";
    cluster.passTime(2500);
    cluster.input("ha1", { type: "stalled" });
    expect(cluster.register("ha1", { homeAddress })).toBeUndefined();
    expect(cluster.count("ha1", "datagrams-dropped unconfirmed")).toBe(1);
    cluster.loses = () => false;
    cluster.passTime(500);
    expect(cluster.register("ha1", { homeAddress })?.reply.code).toBe(0);
    expect(cluster.agent("ha1").counts.owned).toBe(0);
  });
});

describe("a mobile whose owner is back in reach, but doesn't say so yet", () => {
  it("is served here, and its owner gets to know: copies become one", () => {
    const cluster = new TestCluster(6);
    const homeAddress = cluster.homeAddressRanked("ha5", "ha1", "ha2", "ha3");
    cluster.kill("ha5");
    cluster.passTime(2000);
    cluster.register("ha1", { homeAddress });
    cluster.restart("ha5");
    expect(cluster.agent("ha5").findLocation(identity(homeAddress))).toMatchObject({ owner: "ha1" });
    cluster.loses = (from) => from === "ha5";
    cluster.passTime(2000);
    // Its heartbeats arrive again, and the owner has told it of the mobile; that it is heard it can't know before theirs come.
    cluster.loses = (_, to) => to === "ha5";
    cluster.passTime(400);
    expect(cluster.agent("ha1").peer("ha5")?.state).toBe("alive");
    expect(cluster.agent("ha5").peer("ha1")?.state).toBe("one-way");
    expect(cluster.register("ha5", { homeAddress })?.reply.code).toBe(ReplyCode.Accepted);
    // Two others are heard first, and become its backups.
    cluster.loses = (from, to) => to === "ha5" && from !== "ha4" && from !== "ha6";
    cluster.passTime(400);
    cluster.loses = () => false;
    cluster.passTime(11_000);
    const all = views(cluster, homeAddress, ["ha1", "ha2", "ha3", "ha4", "ha5", "ha6"]);
    const held = all.filter((view) => view !== undefined);
    expect(held).toEqual([expect.stringMatching(/^ha5/), held[0], held[0]]);
  });
});
