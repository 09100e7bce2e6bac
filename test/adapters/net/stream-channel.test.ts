import { once } from "node:events";
import { afterEach, describe, expect, it, vi } from "vitest";
import { encodeStreamMessage } from "../../../src/core/protocol/stream-codec.ts";
import { MAXIMUM_BODY_BYTES } from "../../../src/core/protocol/stream-frame.ts";
import type { StreamMessage } from "../../../src/core/protocol/stream-messages.ts";
import { formatIpv4 } from "../../../src/core/wire/ipv4.ts";
import { closeAll, helloOf, Impostor, members, openMember, type TestMember, until } from "./stream-rig.ts";

vi.setConfig({ testTimeout: 20_000 });
afterEach(closeAll);

const ack = (number: number): StreamMessage => ({ type: "ack", number });
/** With an encoding of so many bytes. */
const rowsOfBytes = (bytes: number): StreamMessage => ({ type: "rows", number: 1, rows: [Buffer.alloc(bytes - 17)] });

function say({ streams }: TestMember, to: string, message: StreamMessage): void {
  streams.send(to, encodeStreamMessage(message));
}

describe("streams between members", () => {
  it("carry messages in both directions, in order", async () => {
    const [ha1, ha2] = [await openMember("ha1"), await openMember("ha2")];
    await until(() => ha1.story.length > 0 && ha2.story.length > 0);
    const sent = Array.from({ length: 1000 }, (_, number) => ack(number));
    for (const message of sent) {
      say(ha1, "ha2", message);
      say(ha2, "ha1", message);
    }
    await until(() => ha1.received.length === sent.length && ha2.received.length === sent.length);
    expect(ha1.received).toEqual(sent);
    expect(ha2.received).toEqual(sent);
  });

  it("are there once for each pair, whoever starts first", async () => {
    const started = [await openMember("ha3"), await openMember("ha1"), await openMember("ha2")];
    await until(() => started.every(({ story }) => story.length === 2));
    for (const { id, story, log } of started) {
      const others = members.map((member) => member.id).filter((other) => other !== id);
      expect([...story].sort()).toEqual(others.map((other) => `opened ${other}`));
      expect([...log].sort()).toEqual(others.map((other) => `stream-opened ${other}`));
    }
  });

  it("drop what is sent to a peer that is not there, or to nobody", async () => {
    const ha1 = await openMember("ha1");
    say(ha1, "ha2", ack(1));
    say(ha1, "ha9", ack(1));
    const ha2 = await openMember("ha2");
    await until(() => ha1.story.length > 0);
    say(ha1, "ha2", ack(2));
    await until(() => ha2.received.length > 0);
    expect(ha2.received).toEqual([ack(2)]);
  });

  it("take messages up to the limit", async () => {
    const [ha1, ha2] = [await openMember("ha1"), await openMember("ha2")];
    await until(() => ha1.story.length > 0);
    say(ha1, "ha2", rowsOfBytes(MAXIMUM_BODY_BYTES));
    await until(() => ha2.received.length > 0);
    expect(ha2.received).toEqual([rowsOfBytes(MAXIMUM_BODY_BYTES)]);
  });

  it("end where their owner wants it, and open again", async () => {
    const [ha1, ha2] = [await openMember("ha1"), await openMember("ha2")];
    await until(() => ha1.story.length > 0 && ha2.story.length > 0);
    ha1.streams.end("ha2", "malformed-message");
    expect(ha1.story).toEqual(["opened ha2"]); // not from within the call
    await until(() => ha1.story.length === 3);
    expect(ha1.story).toEqual(["opened ha2", "closed ha2 malformed-message", "opened ha2"]);
    expect(ha1.log).toContain("stream-closed ha2 malformed-message");
    expect([...ha1.counts]).toEqual([["malformed-message", 1]]);
  });

  it.each([
    ["dials", "ha1", "ha2"],
    ["is dialed", "ha2", "ha1"],
  ])("open again after the member that %s has restarted", async (_, restarting, staying) => {
    const stays = await openMember(staying);
    const before = await openMember(restarting);
    await until(() => stays.story.length === 1 && before.story.length === 1);
    await before.streams.close();
    await until(() => stays.story.length === 2);
    const after = await openMember(restarting, { bootCount: 2 });
    await until(() => stays.story.length === 3 && after.story.length === 1);
    expect(stays.story).toEqual([`opened ${restarting}`, `closed ${restarting} ended`, `opened ${restarting}`]);
    say(after, staying, ack(7));
    await until(() => stays.received.length > 0);
    expect(stays.received).toEqual([ack(7)]);
  });

  it("deliver what was sent before an orderly end, and say nothing to their owner after it", async () => {
    const [ha1, ha2] = [await openMember("ha1"), await openMember("ha2")];
    await until(() => ha1.story.length > 0 && ha2.story.length > 0);
    const sent = Array.from({ length: 100 }, (_, number) => ack(number));
    for (const message of sent) say(ha1, "ha2", message);
    await ha1.streams.close();
    await until(() => ha2.story.length === 2);
    expect(ha2.received).toEqual(sent);
    expect(ha2.story).toEqual(["opened ha1", "closed ha1 ended"]);
    expect(ha1.story).toEqual(["opened ha2"]);
  });

  it("follow the members: one that is added gets a stream, one that is removed loses it, whoever of the two dials", async () => {
    const pair = members.slice(0, 2);
    const started = [await openMember("ha2", { members: pair }), await openMember("ha1", { members: pair })];
    const ha3 = await openMember("ha3");
    await until(() => started.every(({ story }) => story.length === 1));
    for (const { streams } of started) streams.setMembers(members);
    await until(() => started.every(({ story }) => story.length === 2) && ha3.story.length === 2);
    for (const { streams } of started) streams.setMembers(pair);
    for (const { story } of started) expect(story.slice(1)).toEqual(["opened ha3", "closed ha3 removed"]);
    await until(() => ha3.story.length === 4);
    await until(() => (started[0]?.counts.get("unknown-member") ?? 0) + (ha3.counts.get("ended") ?? 0) > 0);
    expect(started.every(({ story }) => story.length === 3)).toBe(true);
  });

  it("go on to members that stay where they are, and anew to one that has moved", async () => {
    const ha2 = await openMember("ha2", { members: members.slice(0, 2) });
    const before = members.map((member) => (member.id === "ha2" ? { ...member, port: 4999 } : member));
    const ha1 = await openMember("ha1", { members: before });
    const ha3 = await openMember("ha3");
    await until(() => ha1.story.length === 1);
    ha1.streams.setMembers(members);
    await until(() => ha1.story.length === 2);
    expect(ha1.story).toEqual(["opened ha3", "opened ha2"]);
    expect(ha2.story).toEqual(["opened ha1"]);
    expect(ha3.story.filter((line) => line.endsWith("ha1"))).toEqual(["opened ha1"]);
  });

  it("say why there is none, on either side", async () => {
    const ha1 = await openMember("ha1");
    const [address] = members.filter(({ id }) => id === "ha2").map((member) => formatIpv4(member.address));
    await until(() => ha1.streams.problem("ha2") === `TCP port 4340 of ${address} refuses connections`);
    const ha3 = await openMember("ha3", { secret: new Uint8Array(32).fill(4) });
    expect(ha3.streams.problem("ha1")).toBe("it has not connected to our TCP port, 4340");
    await until(() => ha1.streams.problem("ha3")?.endsWith(": bad-key"));
    await openMember("ha2");
    await until(() => ha1.streams.problem("ha2") === undefined);
    expect(ha1.streams.problem("ha9")).toBeUndefined();
  });

  it("can't be had where the port is taken", async () => {
    await openMember("ha1");
    await expect(openMember("ha1")).rejects.toMatchObject({ code: "EADDRINUSE" });
  });
});

describe("a peer that does not keep to the rules", () => {
  it("replaces its stream by a new connection of the same or a later run, not of an earlier one", async () => {
    const ha2 = await openMember("ha2");
    const first = new Impostor("ha1", "ha2", helloOf("ha1", { bootCount: 5 }));
    await until(() => first.frames.length > 0);
    const again = new Impostor("ha1", "ha2", helloOf("ha1", { bootCount: 5 }));
    await until(() => again.frames.length > 0);
    const restarted = new Impostor("ha1", "ha2", helloOf("ha1", { bootCount: 6 }));
    await until(() => restarted.frames.length > 0);
    const old = new Impostor("ha1", "ha2", helloOf("ha1", { bootCount: 5 }));
    await once(old.socket, "close");
    expect(ha2.story).toEqual(["opened ha1", "closed ha1 replaced", "opened ha1", "closed ha1 replaced", "opened ha1"]);
    expect(ha2.counts.get("older-boot-count")).toBe(1);
    expect(first.socket.closed && again.socket.closed && !restarted.socket.closed).toBe(true);
    restarted.socket.write(encodeStreamMessage(ack(8)));
    await until(() => ha2.received.length > 0);
  });

  it("gets none by a hello that is too long for one", async () => {
    const ha2 = await openMember("ha2");
    const peer = new Impostor("ha1", "ha2", Buffer.from("00400001", "hex"));
    await once(peer.socket, "close");
    await until(() => ha2.counts.size > 0);
    expect([...ha2.counts]).toEqual([["frame-too-large", 1]]);
    expect(ha2.story).toEqual([]);
  });

  it("may say something with its hello already", async () => {
    const ha2 = await openMember("ha2");
    new Impostor("ha1", "ha2", Buffer.concat([helloOf("ha1"), encodeStreamMessage(ack(1))]));
    await until(() => ha2.received.length > 0);
    expect(ha2.story).toEqual(["opened ha1"]);
    expect(ha2.received).toEqual([ack(1)]);
  });

  it("has said nothing with half a message", async () => {
    const ha2 = await openMember("ha2");
    const peer = new Impostor("ha1", "ha2", helloOf("ha1"));
    await until(() => peer.frames.length > 0);
    peer.socket.end(Buffer.from("0000000902000000", "hex"));
    await until(() => ha2.story.length === 2);
    expect(ha2.story).toEqual(["opened ha1", "closed ha1 ended"]);
    expect(ha2.received).toEqual([]);
  });

  it("is heard for as long as it is silent, and given up then", async () => {
    const ha2 = await openMember("ha2");
    const peer = new Impostor("ha1", "ha2", helloOf("ha1"));
    await until(() => ha2.story.length === 2);
    expect(ha2.story).toEqual(["opened ha1", "closed ha1 silent"]);
    // It was told meanwhile that we are there: after the hello, empty frames.
    expect(peer.frames.slice(1).every(({ length }) => length === 0)).toBe(true);
    expect(peer.frames.length).toBeGreaterThan(2);
  });

  it("may read slowly, within a bound", async () => {
    const ha2 = await openMember("ha2");
    const peer = new Impostor("ha1", "ha2", helloOf("ha1"));
    await until(() => ha2.story.length === 1);
    peer.socket.pause();
    const page = rowsOfBytes(MAXIMUM_BODY_BYTES);
    for (let sent = 0; sent < 20; sent++) say(ha2, "ha1", page);
    expect(ha2.story).toEqual(["opened ha1"]);
    await until(() => ha2.story.length === 2);
    expect(ha2.story).toEqual(["opened ha1", "closed ha1 unsent-bytes"]);
  });
});
