/** Who does not get a stream, and what is said about it. */
import { once } from "node:events";
import { afterEach, describe, expect, it, vi } from "vitest";
import { deriveStreamKey } from "../../../src/core/auth/cluster-key.ts";
import {
  addressOf,
  CLUSTER,
  callTcp,
  callTls,
  closeAll,
  helloOf,
  Impostor,
  members,
  openMember,
  SECRET,
  type TestMember,
  until,
} from "./stream-rig.ts";

/** Behind the length and two bytes of magic. */
const VERSION_OFFSET = 6;

/** A whole frame, with a body that is a byte too short. */
function shortened(frame: Uint8Array): Uint8Array {
  const shorter = Buffer.from(frame.subarray(0, -1));
  shorter.writeUInt32BE(shorter.length - 4);
  return shorter;
}

vi.setConfig({ testTimeout: 20_000 });
afterEach(closeAll);

/** The member still serves members. */
async function expectServing(member: TestMember): Promise<void> {
  const peer = await openMember("ha1");
  await until(() => member.story.includes("opened ha1"));
  await peer.streams.close();
}

describe("no stream comes about", () => {
  it("between members with different secrets; both explain it once, however often they try", async () => {
    const ha1 = await openMember("ha1", { secret: new Uint8Array(32).fill(4) });
    const ha2 = await openMember("ha2");
    await until(() => [ha1, ha2].every(({ counts }) => (counts.get("bad-key") ?? 0) >= 3));
    expect(ha1.log).toEqual([`stream-rejected ${addressOf("ha2")} bad-key`]);
    expect(ha2.log).toEqual([`stream-rejected ${addressOf("ha1")} bad-key`]);
    expect([ha1.story, ha2.story]).toEqual([[], []]);
  });

  it("between members of different clusters with the same secret", async () => {
    const ha1 = await openMember("ha1", { cluster: "other" });
    const ha2 = await openMember("ha2");
    await until(() => ha1.log.length > 0 && ha2.log.length > 0);
    expect(ha1.log).toEqual([`stream-rejected ${addressOf("ha2")} refused`]);
    expect(ha2.log).toEqual([`stream-rejected ${addressOf("ha1")} other-cluster`]);
  });

  it("with a member that is not configured here", async () => {
    const ha2 = await openMember("ha2", { members: members.filter(({ id }) => id === "ha2") });
    const ha1 = await openMember("ha1");
    await until(() => ha1.log.length > 0 && ha2.log.length > 0);
    expect(ha1.log).toEqual([`stream-rejected ${addressOf("ha2")} refused`]);
    expect(ha2.log).toEqual([`stream-rejected ${addressOf("ha1")} unknown-member`]);
  });

  it("with a second member of our own id", async () => {
    const ha2 = await openMember("ha2");
    // Its configuration has us under another name.
    const twin = members.map((member) => ({ ...member, id: { ha2: "ha4", ha3: "ha2" }[member.id] ?? member.id }));
    const other = await openMember("ha2", { members: twin });
    await until(() => ha2.log.length > 0 && other.log.length > 0);
    expect(ha2.log).toEqual([`stream-rejected ${addressOf("ha3")} own-id`]);
    expect(other.log).toEqual([`stream-rejected ${addressOf("ha2")} refused`]);
  });

  it("of a peer whose clock is too far off, until it agrees", async () => {
    const ha2 = await openMember("ha2");
    const late = new Impostor("ha1", "ha2", helloOf("ha1", { sentAtMs: Date.now() - 31_000 }));
    await once(late.socket, "close");
    expect([...ha2.counts]).toEqual([["clock-skew", 1]]);
    const agreed = new Impostor("ha1", "ha2", helloOf("ha1", { sentAtMs: Date.now() - 20_000 }));
    await until(() => agreed.frames.length > 0);
    expect(ha2.story).toEqual(["opened ha1"]);
  });

  it("for who explains himself and got in, once he is refused again it is news again", async () => {
    const ha2 = await openMember("ha2");
    const wrong = { secret: new Uint8Array(32).fill(4) };
    const news = `stream-rejected ${addressOf("ha1")} bad-key`;
    for (const known of [0, 1]) {
      const mistaken = await openMember("ha1", wrong);
      await until(() => ha2.log.filter((line) => line === news).length === known + 1);
      await mistaken.streams.close();
      const corrected = await openMember("ha1");
      await until(() => ha2.story.filter((line) => line === "opened ha1").length === known + 1);
      await corrected.streams.close();
      await until(() => ha2.story.filter((line) => line.startsWith("closed")).length === known + 1);
    }
  });

  const psk = deriveStreamKey(SECRET, CLUSTER, "ha1", "ha2");
  it.each([
    ["says nothing and goes", () => callTcp("ha2").end()],
    [
      "goes with a reset",
      () =>
        callTcp("ha2").once("connect", function (this: ReturnType<typeof callTcp>) {
          this.resetAndDestroy();
        }),
    ],
    ["speaks another protocol", () => callTcp("ha2").write("GET / HTTP/1.1\r\n\r\n")],
    ["speaks our protocol without TLS", () => callTcp("ha2").write(helloOf("ha1"))],
    ["sends zeros", () => callTcp("ha2").write(new Uint8Array(100_000))],
    ["expects a certificate", () => callTls("ha2", { rejectUnauthorized: false })],
    [
      "speaks TLS 1.2",
      () =>
        callTls("ha2", {
          minVersion: "TLSv1.2",
          maxVersion: "TLSv1.2",
          ciphers: "PSK-AES128-GCM-SHA256",
          pskCallback: () => ({ identity: `ha1@${CLUSTER}`, psk }),
        }),
    ],
    [
      "offers another cipher",
      () =>
        callTls("ha2", {
          ciphers: "TLS_AES_256_GCM_SHA384",
          pskCallback: () => ({ identity: `ha1@${CLUSTER}`, psk }),
        }),
    ],
  ])("for a stranger who %s", async (_, call) => {
    const ha2 = await openMember("ha2");
    call();
    await until(() => ha2.counts.size > 0);
    expect([...ha2.counts]).toEqual([["bad-handshake", 1]]);
    expect(ha2.log).toEqual([expect.stringMatching(/^stream-rejected 127\.0\.0\.1 bad-handshake$/)]);
    await expectServing(ha2);
  });

  it("with the key of another pair of members", async () => {
    const ha2 = await openMember("ha2");
    const keyForAnother = deriveStreamKey(SECRET, CLUSTER, "ha1", "ha3");
    callTls("ha2", { pskCallback: () => ({ identity: `ha1@${CLUSTER}`, psk: keyForAnother }) });
    await until(() => ha2.counts.size > 0);
    expect([...ha2.counts]).toEqual([["bad-key", 1]]);
  });

  it("by resuming the TLS session of an earlier one, which would prove nothing about who it is", async () => {
    const ha2 = await openMember("ha2");
    const first = callTls("ha2", { pskCallback: () => ({ identity: `ha1@${CLUSTER}`, psk }) });
    const [session] = (await once(first, "session")) as [Buffer];
    first.destroy();
    await until(() => ha2.counts.size > 0);
    ha2.counts.clear();
    callTls("ha2", { session });
    await until(() => ha2.counts.size > 0);
    expect([...ha2.counts]).toEqual([["bad-handshake", 1]]);
  });

  it("for a flood of connections that say nothing, while members still get theirs", async () => {
    const ha2 = await openMember("ha2");
    const flood = Array.from({ length: 300 }, () => callTcp("ha2"));
    await Promise.all(flood.map((socket) => once(socket, "connect")));
    await expectServing(ha2);
    await until(() => flood.every(({ closed }) => closed));
    // 64 at a time, of which the member was one for a moment.
    expect(ha2.counts.get("too-many-handshakes")).toBeGreaterThanOrEqual(300 - 64);
    expect(
      (ha2.counts.get("too-many-handshakes") ?? 0) + (ha2.counts.get("handshake-timeout") ?? 0),
    ).toBeGreaterThanOrEqual(300);
  });

  it.each([
    ["malformed-hello", Buffer.from("\0\0\0\x08nonsense")],
    ["malformed-hello", shortened(helloOf("ha1"))],
    ["malformed-hello", Buffer.from(helloOf("ha1")).fill(0, VERSION_OFFSET, VERSION_OFFSET + 1)],
    ["newer-version", Buffer.from(helloOf("ha1")).fill(2, VERSION_OFFSET, VERSION_OFFSET + 1)],
    ["other-cluster", helloOf("ha1", { cluster: "other" })],
    ["own-id", helloOf("ha2")],
    ["wrong-member", helloOf("ha3")],
    ["frame-too-large", Buffer.from("00000401", "hex")],
    ["handshake-timeout", undefined],
  ])("with a member by its key whose hello is at fault: %s", async (reason, hello) => {
    const ha2 = await openMember("ha2");
    const impostor = new Impostor("ha1", "ha2", hello);
    await until(() => ha2.counts.size > 0);
    expect([...ha2.counts]).toEqual([[reason, 1]]);
    expect(ha2.log).toEqual([`stream-rejected ${addressOf("ha1")} ${reason}`]);
    expect(impostor.frames).toEqual([]);
    await expectServing(ha2);
  });
});
