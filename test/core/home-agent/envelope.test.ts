/** What members put into their envelopes, and what they make of one that they get: docs/protocol.md, read from the other end. */

import { describe, expect, it } from "vitest";
import { decodeBindingRow } from "../../../src/core/bindings/binding-row.ts";
import type { Output } from "../../../src/core/home-agent/io.ts";
import type { Message, RelayReply, RelayRequest } from "../../../src/core/protocol/datagrams.ts";
import type { FrameCodec } from "../../../src/core/protocol/frame.ts";
import type { StreamMessage } from "../../../src/core/protocol/stream-messages.ts";
import { ipv4 } from "../../../src/core/wire/ipv4.ts";
import { foreignAgent, said, saidIn, TestCluster, virtualEndpoint } from "./test-cluster.ts";

/** A cluster, and a stand-in for each of its members that has its keys: it reads its frames, or speaks for it. */
function clusterWithStandIns() {
  const cluster = new TestCluster(3, { copies: 0 });
  const standIns = new Map<string, FrameCodec>();
  // A start that the members have not heard of yet, so that none of its frames looks like a replay.
  const standIn = (id: string) => {
    const codec = standIns.get(id) ?? cluster.standIn(id, 99);
    standIns.set(id, codec);
    return codec;
  };

  return {
    cluster,

    /** What a member sends because of this message from another one. */
    tell(from: string, to: string, message: Message): Output[] {
      const payload = standIn(from).seal(to, message);
      if (payload === undefined) throw new Error("not sealed");
      return cluster
        .agent(to)
        .handle({ type: "frame", payload, source: { address: ipv4("10.1.0.9"), port: 4340 } }, cluster);
    },

    /** The same by the stream between the two. */
    tellByStream(from: string, to: string, message: StreamMessage): Output[] {
      return cluster.agent(to).handle(said(from, message), cluster);
    },

    datagram(to: string, payload: Uint8Array): Output[] {
      return cluster
        .agent(to)
        .handle({ type: "datagram", payload, source: foreignAgent, destination: virtualEndpoint }, cluster);
    },

    /** The disk of a member has what these outputs asked it to write. */
    durable(id: string, outputs: readonly Output[]): Output[] {
      const changes = outputs.flatMap((output) => (output.type === "append" ? output.changes : []));
      return cluster.agent(id).handle({ type: "durable", position: changes.at(-1)?.position ?? 0 }, cluster);
    },

    /** The frames among outputs, opened by those they are for. */
    opened(from: string, outputs: readonly Output[]): { to: string; message: Message }[] {
      return outputs.flatMap((output) => {
        if (output.type !== "frame") return [];
        return [{ to: output.to, message: cluster.read({ from, ...output }) }];
      });
    },
  };
}

/** What these outputs say on streams. */
function streamed(outputs: readonly Output[]): { to: string; message: StreamMessage }[] {
  return outputs.flatMap((output) =>
    output.type === "stream" ? [{ to: output.to, message: saidIn(output.bytes) }] : [],
  );
}

function relayRequest(request: Uint8Array, fields: Partial<RelayRequest> = {}): RelayRequest {
  return {
    type: "relay-request",
    requestId: 7,
    ingress: "ha1",
    hopLimit: 3,
    minimumGeneration: 0,
    source: foreignAgent,
    destination: virtualEndpoint,
    request,
    ...fields,
  };
}

function location(homeAddress: string, owner: string, generation: number): StreamMessage {
  const knownUntilMs = Number.POSITIVE_INFINITY;
  return {
    type: "moved",
    mobile: `ip:${homeAddress}`,
    owner,
    generation,
    homeAddress: ipv4(homeAddress),
    knownUntilMs,
    homeAddressSinceMs: 1,
    backups: [],
  };
}

function identity(homeAddress: string) {
  return { homeAddress: ipv4(homeAddress), nai: undefined };
}

describe("a relayed request", () => {
  it("is untouched, and says where it came from, where it was sent to, and who took it in", () => {
    const { cluster, datagram, opened } = clusterWithStandIns();
    const request = cluster.request({ homeAddress: cluster.homeAddressRanked("ha2") });
    expect(opened("ha1", datagram("ha1", request))).toMatchObject([
      {
        to: "ha2",
        message: {
          type: "relay-request",
          ingress: "ha1",
          hopLimit: 3,
          source: foreignAgent,
          destination: virtualEndpoint,
          request: Buffer.from(request),
        },
      },
    ]);
  });

  it("is passed on to the owner by a member that knows better, with one hop less", () => {
    const { cluster, tell, tellByStream, opened } = clusterWithStandIns();
    const homeAddress = cluster.homeAddressRanked("ha2");
    tellByStream("ha3", "ha2", location(homeAddress, "ha3", 4));
    const passedOn = tell("ha1", "ha2", relayRequest(cluster.request({ homeAddress }), { hopLimit: 2 }));
    expect(opened("ha2", passedOn)).toMatchObject([
      {
        to: "ha3",
        message: { type: "relay-request", requestId: 7, ingress: "ha1", hopLimit: 1, minimumGeneration: 4 },
      },
    ]);
  });

  it("without a hop left is refused by an empty reply to the ingress, and counted", () => {
    const { cluster, tell, tellByStream, opened } = clusterWithStandIns();
    const homeAddress = cluster.homeAddressRanked("ha2");
    tellByStream("ha3", "ha2", location(homeAddress, "ha3", 4));
    const refused = tell("ha1", "ha2", relayRequest(cluster.request({ homeAddress }), { hopLimit: 1 }));
    expect(opened("ha2", refused)).toMatchObject([
      { to: "ha1", message: { type: "relay-reply", requestId: 7, reply: Buffer.alloc(0) } },
    ]);
    expect(cluster.count("ha2", "datagrams-dropped hop-limit")).toBe(1);
  });

  it.each([
    ["comes from the member that the location names", "ha1", {}],
    ["knows of a newer owner than the location", "ha3", { minimumGeneration: 5 }],
  ])("is served where it %s, in a generation above", (_, owner, fields) => {
    const { cluster, tell, tellByStream, durable } = clusterWithStandIns();
    const homeAddress = cluster.homeAddressRanked("ha2");
    tellByStream(owner, "ha2", location(homeAddress, owner, 4));
    durable("ha2", tell("ha1", "ha2", relayRequest(cluster.request({ homeAddress }), fields)));
    expect(cluster.agent("ha2").findBinding(identity(homeAddress))?.ownership).toMatchObject({
      owner: "ha2",
      generation: 5,
    });
  });
});

describe("a relayed request of a mobile that nobody owns", () => {
  it("is passed on to its home, which alone knows that nobody does", () => {
    const { cluster, tell, opened } = clusterWithStandIns();
    const homeAddress = cluster.homeAddressRanked("ha3", "ha2");
    const relayed = opened("ha2", tell("ha1", "ha2", relayRequest(cluster.request({ homeAddress }))));
    expect(relayed).toMatchObject([{ to: "ha3", message: { type: "relay-request", ingress: "ha1" } }]);
  });

  it("is served by whom its home has chosen", () => {
    const { cluster, tell, tellByStream, durable, opened } = clusterWithStandIns();
    const homeAddress = cluster.homeAddressRanked("ha3", "ha2");
    const asked = tell("ha3", "ha2", relayRequest(cluster.request({ homeAddress }), { ingress: "ha1" }));
    const [mobile, claimed] = [`ip:${homeAddress}` as const, ipv4(homeAddress)];
    const claim = { type: "claim", homeAddress: claimed, mobile, claimant: "ha2" };
    expect(streamed(asked)).toEqual([{ to: "ha3", message: claim }]);
    const answer = { type: "holder", homeAddress: claimed, mobile, sinceMs: Number.POSITIVE_INFINITY } as const;
    const served = tellByStream("ha3", "ha2", answer);
    expect(opened("ha2", served)).toEqual([]);
    durable("ha2", served);
    expect(cluster.agent("ha2").findBinding(identity(homeAddress))?.ownership).toMatchObject({ owner: "ha2" });
  });
});

describe("the reply to a relayed request", () => {
  it("comes back addressed to the virtual home agent address, once the binding is on disk", () => {
    const { cluster, tell, durable, opened } = clusterWithStandIns();
    const homeAddress = cluster.homeAddressRanked("ha2");
    const served = tell("ha1", "ha2", relayRequest(cluster.request({ homeAddress })));
    expect(opened("ha2", served)).toEqual([]);
    expect(opened("ha2", durable("ha2", served))).toMatchObject([
      { to: "ha1", message: { type: "relay-reply", requestId: 7, generation: 1, destination: virtualEndpoint } },
    ]);
  });

  it("goes straight to the ingress, also where another member has passed the request on", () => {
    const { cluster, tell, durable, opened } = clusterWithStandIns();
    const homeAddress = cluster.homeAddressRanked("ha2");
    const served = tell("ha3", "ha2", relayRequest(cluster.request({ homeAddress }), { ingress: "ha1" }));
    expect(opened("ha2", durable("ha2", served)).map(({ to }) => to)).toEqual(["ha1"]);
  });

  const reply: RelayReply = {
    type: "relay-reply",
    requestId: 1,
    generation: 1,
    backups: [],
    knownUntilMs: 0,
    boundUntilMs: 0,
    mobile: undefined,
    homeAddressSinceMs: Number.POSITIVE_INFINITY,
    lease: undefined,
    destination: virtualEndpoint,
    reply: Uint8Array.of(3, 0, 2, 88, ...new Uint8Array(16)),
  };

  it.each([
    ["addressed elsewhere", { destination: { ...virtualEndpoint, address: ipv4("10.1.0.11") } }, "misaddressed-reply"],
    ["that is no Registration Reply", { reply: Uint8Array.of(1, 2, 3) }, "unknown-message-type"],
    ["that breaks off", { reply: Uint8Array.of(3, 0, 2) }, "truncated-message"],
    ["that is empty, as the owner discarded the request", { reply: new Uint8Array() }, "discarded-by-owner"],
  ])("%s goes to nobody, and ends the temporary binding", (_, fields, reason) => {
    const { cluster, datagram, tell } = clusterWithStandIns();
    datagram("ha1", cluster.request({ homeAddress: cluster.homeAddressRanked("ha2") }));
    const [temporary] = cluster.agent("ha1").temporaryBindings;
    expect(tell("ha2", "ha1", { ...reply, requestId: temporary?.requestId ?? 0, ...fields })).toEqual([]);
    expect(cluster.count("ha1", `datagrams-dropped ${reason}`)).toBe(1);
    expect(cluster.agent("ha1").counts).toMatchObject({ temporary: 0, ingress: 0 });
  });

  it("that no temporary binding waits for is dropped and counted", () => {
    const { cluster, tell } = clusterWithStandIns();
    expect(tell("ha2", "ha1", { ...reply, requestId: 12_345 })).toEqual([]);
    expect(cluster.count("ha1", "replies-unmatched")).toBe(1);
  });
});

describe("a location", () => {
  it("gives way to a newer one only", () => {
    const { cluster, tellByStream } = clusterWithStandIns();
    const known = () => cluster.agent("ha2").findLocation(identity("10.70.0.1"));
    tellByStream("ha3", "ha2", location("10.70.0.1", "ha3", 2));
    tellByStream("ha1", "ha2", location("10.70.0.1", "ha1", 1));
    expect(known()).toMatchObject({ owner: "ha3", generation: 2 });
    tellByStream("ha1", "ha2", location("10.70.0.1", "ha1", 3));
    expect(known()).toMatchObject({ owner: "ha1", generation: 3 });
  });

  it("that gives way is told to the owner that it named: two that know nothing of each other meet at the mobile's home", () => {
    const { tellByStream } = clusterWithStandIns();
    const [older, newer] = [location("10.70.0.1", "ha1", 1), location("10.70.0.1", "ha3", 2)];
    tellByStream("ha1", "ha2", older);
    expect(streamed(tellByStream("ha3", "ha2", newer))).toContainEqual({ to: "ha1", message: newer });
    expect(streamed(tellByStream("ha1", "ha2", older))).toContainEqual({ to: "ha1", message: newer });
  });

  function withOwnedMobile() {
    const stage = clusterWithStandIns();
    const homeAddress = stage.cluster.homeAddressRanked("ha2");
    stage.durable("ha2", stage.tell("ha1", "ha2", relayRequest(stage.cluster.request({ homeAddress }))));
    return { ...stage, homeAddress };
  }

  it("that is newer than a binding of our own is answered by the binding, so that the two are merged", () => {
    const { tellByStream, homeAddress } = withOwnedMobile();
    const [answer] = streamed(tellByStream("ha3", "ha2", location(homeAddress, "ha3", 2)));
    expect(answer).toMatchObject({ to: "ha3", message: { type: "rows" } });
    const rows = answer?.message.type === "rows" ? answer.message.rows : [];
    expect(rows.map((row) => decodeBindingRow(row))).toMatchObject([{ homeAddress: ipv4(homeAddress) }]);
  });

  it("that is older than a binding of our own is answered by our own", () => {
    const { cluster, tellByStream, homeAddress } = withOwnedMobile();
    const answer = tellByStream("ha3", "ha2", location(homeAddress, "ha3", 0));
    expect(streamed(answer)).toMatchObject([{ to: "ha3", message: { type: "moved", owner: "ha2", generation: 1 } }]);
    expect(cluster.agent("ha2").findBinding(identity(homeAddress))).toBeDefined();
  });
});
