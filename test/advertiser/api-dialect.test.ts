import fc from "fast-check";
import { expect, test } from "vitest";
import type { Advertisement } from "../../src/advertiser/advertiser.ts";
import { parseEvent, printable, routeCommands } from "../../src/advertiser/api-dialect.ts";
import { ipv4, parsePrefix } from "../../src/wire/ipv4.ts";

const EXTERNAL = { neighbor: ipv4("192.0.2.1"), neighborAs: 65001, localAs: 65011 };
const INTERNAL = { ...EXTERNAL, neighborAs: 65011 };

function advertisement(attributes: Partial<Advertisement> = {}): Advertisement {
  const prefix = parsePrefix("10.64.0.0/12");
  if (!prefix) throw new TypeError("no prefix");
  return { prefix, communities: [], asPathPrepend: 0, ...attributes };
}

test("a plain advertisement is announced with our end of the session as next hop", () => {
  expect(routeCommands(advertisement(), EXTERNAL)).toEqual({
    announce: "neighbor 192.0.2.1 announce route 10.64.0.0/12 next-hop self",
    withdraw: "neighbor 192.0.2.1 withdraw route 10.64.0.0/12 next-hop self",
  });
});

test("attributes follow; a prepended path begins with our AS once more than it is prepended", () => {
  const { announce, withdraw } = routeCommands(
    advertisement({
      med: 0,
      communities: [
        [65535, 0],
        [65011, 7],
      ],
      asPathPrepend: 2,
    }),
    EXTERNAL,
  );
  expect(announce).toBe(
    "neighbor 192.0.2.1 announce route 10.64.0.0/12 next-hop self med 0 community [65535:0 65011:7] as-path [65011 65011 65011]",
  );
  expect(withdraw).toBe(routeCommands(advertisement(), EXTERNAL).withdraw);
});

test("nothing is prepended towards our own AS", () => {
  expect(routeCommands(advertisement({ asPathPrepend: 2 }), INTERNAL).announce).not.toContain("as-path");
});

function stateEvent(state: string, rest = ""): string {
  return `{ "exabgp": "4.0.1", "time": 1795414258.52, "host" : "ha1", "pid" : 9656, "ppid" : 1, "counter": 2, "type": "state", "neighbor": { "address": { "local": "192.0.2.11", "peer": "192.0.2.1" }, "asn": { "local": 65011, "peer": 65001 } , "state": "${state}"${rest} } }`;
}

test.each(["connected", "up"] as const)("a session that is %s", (state) => {
  expect(parseEvent(stateEvent(state))).toEqual({ address: "192.0.2.1", state });
});

test("a session that is down, and why", () => {
  const reason = "peer reset, message (closing connection) error(the TCP connection was closed by the remote end)";
  expect(parseEvent(stateEvent("down", `, "reason": "${reason}"`))).toEqual({
    address: "192.0.2.1",
    state: "down",
    reason,
  });
});

test("a session that is down with a line feed in the reason, as a NOTIFICATION can cause: the line is cut off there", () => {
  const [line = ""] = stateEvent("down", ', "reason": "peer reset, error(Cease / x\ndone\n( forged ))"').split("\n");
  expect(parseEvent(line)).toEqual({ address: "192.0.2.1", state: "down", reason: "peer reset, error(Cease / x" });
});

test("other events of ExaBGP are of no interest", () => {
  expect(parseEvent('{ "exabgp": "4.0.1", "type": "notification", "notification": "shutdown" }')).toBeUndefined();
});

test.each([
  "done",
  "",
  "null",
  "[]",
  '{ "type": "state" }',
  stateEvent("idle"),
  stateEvent("up").replace('192.0.2.1"', 'router.example"'),
  stateEvent("up").slice(0, -5),
  '{ "type": "update" }',
])("%j is unreadable", (line) => {
  expect(parseEvent(line)).toBe("unreadable");
});

test("no line does more than be unreadable, however it was damaged", () => {
  const line = stateEvent("down", ', "reason": "closed"');
  fc.assert(
    fc.property(fc.nat(line.length), fc.nat(line.length), fc.string({ unit: "binary" }), (from, to, text) => {
      const event = parseEvent(line.slice(0, from) + text + line.slice(to));
      if (event === undefined || event === "unreadable") return;
      expect(event.address).toMatch(/^[\d.]{7,15}$/);
      expect(event.reason ?? "").toBe(printable(event.reason ?? ""));
    }),
    { numRuns: 1000 },
  );
});

test("text of unknown origin becomes short and printable", () => {
  expect(printable("a\u001b[31mred\r\n\u0000b")).toBe("a [31mred b");
  expect(printable("x".repeat(1000))).toHaveLength(200);
});
