/** An ingress that dies after it has relayed a request: the foreign agent gets the reply through its backup. */
import { describe, expect, it } from "vitest";
import type { StreamMessage, TemporaryCopy } from "../../../src/core/protocol/stream-messages.ts";
import {
  MAXIMUM_REQUEST_BYTES,
  TemporaryCopies,
  type TemporaryCopiesOptions,
} from "../../../src/core/replication/temporary-copies.ts";
import { ipv4 } from "../../../src/core/wire/ipv4.ts";
import { foreignAgent, type MobileOptions, TestCluster, virtualEndpoint } from "../home-agent/test-cluster.ts";

/** Of detection and what follows it. */
const ENOUGH_MS = 2000;

function bytesOf(sent: { readonly bytes: Uint8Array } | undefined): string {
  return Buffer.from(sent?.bytes ?? []).toString("hex");
}

/** A cluster of three whose ha1 has relayed a mobile's request to ha2, and waits for the reply. */
function relayedByHa1(members = 3, mobile: MobileOptions = {}) {
  const cluster = new TestCluster(members);
  const homeAddress = cluster.homeAddressRanked("ha2", ...(members > 2 ? ["ha3"] : []));
  const request = cluster.request({ homeAddress, ...mobile });
  cluster.commitAtOnce = false;
  cluster.datagram("ha1", request);
  expect(cluster.agent("ha1").counts.temporary).toBe(1);
  return { cluster, homeAddress, request };
}

/** The disks of all go on. */
function commitAll(cluster: TestCluster, ...ids: string[]): void {
  cluster.commitAtOnce = true;
  for (const id of ids) cluster.commit(id);
}

describe("a request whose ingress dies before the reply", () => {
  it("is answered by the ingress's backup, as the owner would have had it answered", () => {
    const { cluster, homeAddress, request } = relayedByHa1();
    cluster.kill("ha1");
    commitAll(cluster, "ha2", "ha3");
    expect(cluster.replies).toEqual([]);
    cluster.passTime(ENOUGH_MS);
    expect(cluster.replies).toMatchObject([
      { from: "ha3", destination: foreignAgent, source: virtualEndpoint, reply: { code: 0, lifetimeSeconds: 600 } },
    ]);
    cluster.datagram("ha2", request);
    expect(bytesOf(cluster.replies[1])).toBe(bytesOf(cluster.replies[0]));
    expect(cluster.agent("ha3").findLocation({ homeAddress: ipv4(homeAddress), nai: undefined })).toMatchObject({
      owner: "ha2",
      ingress: { foreignAgent, lifetimeSeconds: 600 },
    });
    expect(cluster.count("ha3", "requests-adopted")).toBe(1);
    expect(cluster.events).toContainEqual({ on: "ha3", event: "requests-adopted", member: "ha1", requests: 1 });
  });

  it("is answered though it never reached its owner", () => {
    const cluster = new TestCluster(3);
    const homeAddress = cluster.homeAddressRanked("ha2", "ha3");
    cluster.loses = (from, to) => from === "ha1" && to === "ha2";
    expect(cluster.register("ha1", { homeAddress })).toBeUndefined();
    cluster.kill("ha1");
    cluster.passTime(ENOUGH_MS);
    expect(cluster.replies).toMatchObject([{ from: "ha3", reply: { code: 0 } }]);
  });

  it("is answered, too, where the ingress is back before anybody has missed it", () => {
    const { cluster } = relayedByHa1();
    cluster.kill("ha1");
    commitAll(cluster, "ha2", "ha3");
    cluster.restart("ha1");
    cluster.passTime(400);
    expect(cluster.events.filter(({ event }) => event === "member-dead")).toEqual([]);
    expect(cluster.replies).toMatchObject([{ from: "ha3", reply: { code: 0 } }]);
  });

  it("is answered by the owner itself where there is no third member", () => {
    // A longer lifetime than may be granted without a backup is not answered at all.
    const { cluster } = relayedByHa1(2, { lifetime: 300 });
    cluster.kill("ha1");
    commitAll(cluster, "ha2");
    cluster.passTime(ENOUGH_MS);
    expect(cluster.replies).toMatchObject([{ from: "ha2", destination: foreignAgent, reply: { code: 0 } }]);
  });

  it("is served after the takeover when its owner dies with the ingress", () => {
    const { cluster } = relayedByHa1(4);
    cluster.kill("ha1");
    cluster.kill("ha2");
    commitAll(cluster, "ha3", "ha4");
    cluster.passTime(2 * ENOUGH_MS);
    expect(cluster.replies).toMatchObject([{ destination: foreignAgent, reply: { code: 0 } }]);
  });

  it("is answered by the next when the backup dies after it has taken the ingress's place", () => {
    const { cluster } = relayedByHa1(4);
    cluster.kill("ha1");
    cluster.passTime(1200);
    expect(cluster.agent("ha3").counts.temporary).toBe(1);
    cluster.kill("ha3");
    commitAll(cluster, "ha2", "ha4");
    cluster.passTime(ENOUGH_MS);
    expect(cluster.replies).toMatchObject([{ from: "ha4", destination: foreignAgent, reply: { code: 0 } }]);
  });

  it("does not come back once the reply would be of no use any more", () => {
    const { cluster } = relayedByHa1();
    cluster.separate("ha1", "ha2");
    cluster.passTime(3700);
    cluster.kill("ha1");
    commitAll(cluster, "ha2", "ha3");
    cluster.passTime(ENOUGH_MS);
    expect(cluster.replies).toEqual([]);
    expect(cluster.count("ha3", "requests-adopted")).toBe(0);
  });
});

describe("a request that its ingress has answered", () => {
  it("is not answered a second time when the ingress dies", () => {
    const cluster = new TestCluster(3);
    for (const homeAddress of cluster.homeAddressesRanked(5, "ha2")) cluster.register("ha1", { homeAddress });
    expect(cluster.count("ha1", "temporaries-copied ha3")).toBe(5);
    cluster.passTime(50);
    cluster.kill("ha1");
    cluster.passTime(ENOUGH_MS);
    expect(cluster.replies).toHaveLength(5);
  });

  it("is not answered by an ingress that stood still, as its backup may have done so", () => {
    const { cluster } = relayedByHa1();
    cluster.input("ha1", { type: "stalled" });
    expect(cluster.agent("ha1").counts.temporary).toBe(0);
    commitAll(cluster, "ha2", "ha3");
    expect(cluster.replies).toEqual([]);
    expect(cluster.count("ha1", "replies-unmatched")).toBe(1);
  });
});

describe("copies of temporary bindings", () => {
  const copy: TemporaryCopy = {
    requestId: 1,
    owner: "ha3",
    minimumGeneration: 0,
    foreignAgent,
    destination: virtualEndpoint,
    request: new Uint8Array(100),
  };
  const at = (monotonicMs: number) => ({ wallMs: 0, monotonicMs });

  function copies(options: Partial<TemporaryCopiesOptions> = {}) {
    const sent: { readonly to: string; readonly message: StreamMessage & { readonly type: "temporary" } }[] = [];
    const adopted: TemporaryCopy[] = [];
    const counts: string[] = [];
    const subject = new TemporaryCopies({
      self: "ha2",
      peers: ["ha1", "ha3", "ha4"],
      designated: [],
      maximum: 1000,
      lifetimeMs: 3600,
      isAvailable: () => true,
      observer: {
        count: (name) => counts.push(name),
        countBy: (name, label) => counts.push(`${name} ${label}`),
        event: () => undefined,
      },
      send: (to, message) => {
        if (message.type === "temporary") sent.push({ to, message });
      },
      adopt: (adoptee) => adopted.push(adoptee),
      ...options,
    });
    return { subject, sent, adopted, counts };
  }

  it.each([
    ["the next member", {}, "ha1", "ha3"],
    ["not the owner, who has the request anyway", {}, "ha3", "ha4"],
    ["a member that the operator has named for the ingress, first", { designated: ["ha1"] }, "ha3", "ha1"],
    ["nobody who isn't there", { isAvailable: (id: string) => id !== "ha3" }, "ha1", "ha4"],
    ["the owner, where there is nobody else", { isAvailable: (id: string) => id === "ha3" }, "ha3", "ha3"],
  ])("go to %s", (_, options, owner, backup) => {
    const { subject, sent } = copies(options);
    subject.made({ ...copy, owner });
    subject.flush(at(0));
    expect(sent).toEqual([{ to: backup, message: { type: "temporary", made: [{ ...copy, owner }], ended: [] } }]);
  });

  it("go to whom a new configuration names", () => {
    const { subject, sent } = copies();
    subject.configure({ peers: ["ha1", "ha5"], designated: [], lifetimeMs: 3600 });
    subject.made({ ...copy, owner: "ha1" });
    subject.configure({ peers: ["ha1", "ha5", "ha6"], designated: ["ha6"], lifetimeMs: 3600 });
    subject.made({ ...copy, owner: "ha1", requestId: 2 });
    subject.flush(at(0));
    expect(sent.map(({ to, message }) => [to, message.made.map(({ requestId }) => requestId)])).toEqual([
      ["ha5", [1]],
      ["ha6", [2]],
    ]);
  });

  it("go to nobody where nobody is, and nothing waits for them", () => {
    const { subject, sent, counts } = copies({ isAvailable: () => false });
    subject.made(copy);
    subject.ended(copy.requestId, at(0));
    subject.flush(at(100));
    expect(sent).toEqual([]);
    expect(counts).toEqual(["temporaries-not-copied no-backup"]);
    expect(subject.nextDueMs).toBe(Number.POSITIVE_INFINITY);
  });

  it("are not made of requests that no mobile sends", () => {
    const { subject, sent, counts } = copies();
    subject.made({ ...copy, request: new Uint8Array(MAXIMUM_REQUEST_BYTES + 1) });
    subject.flush(at(0));
    expect(sent).toEqual([]);
    expect(counts).toEqual(["temporaries-not-copied too-long"]);
  });

  it("of one turn travel together, in pages, and an end never before its beginning", () => {
    const { subject, sent } = copies();
    for (let requestId = 1; requestId <= 300; requestId++) {
      subject.made({ ...copy, requestId, owner: "ha1" });
      subject.ended(requestId, at(0));
    }
    subject.flush(at(0));
    expect(sent.map(({ to, message }) => [to, message.made.length, message.ended.length])).toEqual([
      ["ha3", 256, 0],
      ["ha3", 44, 300],
    ]);
  });

  it("that have ended are told of with the next one, or soon, with no timer for each", () => {
    const { subject, sent } = copies();
    for (const requestId of [1, 2, 3]) subject.made({ ...copy, requestId, owner: "ha1" });
    subject.flush(at(0));
    subject.ended(1, at(1));
    subject.flush(at(1));
    expect(sent).toHaveLength(1);
    subject.made({ ...copy, requestId: 4, owner: "ha1" });
    subject.flush(at(2));
    subject.ended(2, at(3));
    subject.ended(3, at(8));
    expect(subject.nextDueMs).toBe(13);
    subject.flush(at(13));
    expect(sent.slice(1).map(({ message }) => message.ended)).toEqual([[1], [2, 3]]);
    expect(subject.nextDueMs).toBe(Number.POSITIVE_INFINITY);
  });

  it("are bounded, whatever the ingresses send", () => {
    const { subject, adopted, counts } = copies({ maximum: 10 });
    for (const ingress of ["ha1", "ha3"]) {
      const made = Array.from({ length: 8 }, (_, index) => ({ ...copy, requestId: index }));
      subject.told(ingress, { type: "temporary", made, ended: [] }, at(0));
    }
    expect(counts.filter((counted) => counted === "temporaries-not-copied overloaded")).toHaveLength(6);
    for (const ingress of ["ha1", "ha3"]) subject.lost(ingress);
    expect(subject.nextDueMs).toBe(Number.NEGATIVE_INFINITY);
    subject.work(at(1));
    expect(adopted).toHaveLength(10);
  });

  it("are adopted in pieces, so that registrations are not held up, and only as long as they are of use", () => {
    const { subject, adopted } = copies();
    const made = Array.from({ length: 300 }, (_, index) => ({ ...copy, requestId: index }));
    subject.told("ha1", { type: "temporary", made, ended: [] }, at(0));
    subject.lost("ha1");
    subject.work(at(3000));
    expect(adopted).toHaveLength(256);
    subject.work(at(3600));
    expect(adopted).toHaveLength(256);
    expect(subject.nextDueMs).toBe(Number.POSITIVE_INFINITY);
  });

  it("are forgotten by age when their end is never told", () => {
    const { subject, adopted } = copies();
    subject.told("ha1", { type: "temporary", made: [copy], ended: [] }, at(0));
    subject.passTime(at(3600));
    subject.lost("ha1");
    subject.work(at(3600));
    expect(adopted).toEqual([]);
  });
});
