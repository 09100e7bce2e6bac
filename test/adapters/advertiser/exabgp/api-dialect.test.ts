import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Advertisement } from "../../../../src/adapters/advertiser/advertiser.ts";
import {
  isKnownVersion,
  parseAttributes,
  parseEvent,
  printable,
  routeCommands,
  type Session,
} from "../../../../src/adapters/advertiser/exabgp/api-dialect.ts";
import { ipv4, parsePrefix } from "../../../../src/core/wire/ipv4.ts";

const EXTERNAL: Session = {
  neighbor: ipv4("192.0.2.1"),
  neighborAs: 65001,
  localAs: 65011,
  communities: [],
  largeCommunities: [],
  med: undefined,
  asPathPrepend: 0,
};
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

test("a neighbor's own attributes come together with those of the advertisement, each community once", () => {
  const { announce } = routeCommands(advertisement({ communities: [[65535, 0]], asPathPrepend: 1 }), {
    ...EXTERNAL,
    communities: [
      [65011, 7],
      [65535, 0],
    ],
    largeCommunities: [[65011, 434, 3_232_235_777]],
    med: 4_294_967_295,
    asPathPrepend: 1,
  });
  expect(announce).toBe(
    "neighbor 192.0.2.1 announce route 10.64.0.0/12 next-hop self med 4294967295 community [65011:7 65535:0] large-community [65011:434:3232235777] as-path [65011 65011 65011]",
  );
});

test("the MED of the advertisement comes before the neighbor's", () => {
  expect(routeCommands(advertisement({ med: 3 }), { ...EXTERNAL, med: 7 }).announce).toContain(" med 3");
});

test("nothing is prepended towards our own AS", () => {
  expect(routeCommands(advertisement({ asPathPrepend: 2 }), INTERNAL).announce).not.toContain("as-path");
});

function stateEvent(state: string, rest = ""): string {
  return `{ "exabgp": "4.0.1", "time": 1795414258.52, "host" : "ha1", "pid" : 9656, "ppid" : 1, "counter": 2, "type": "state", "neighbor": { "address": { "local": "192.0.2.11", "peer": "192.0.2.1" }, "asn": { "local": 65011, "peer": 65001 } , "state": "${state}"${rest} } }`;
}

test.each(["connected", "up"] as const)("a session that is %s", (state) => {
  expect(parseEvent(stateEvent(state))).toEqual({ type: "state", address: "192.0.2.1", state });
});

test("a session that is down, and why", () => {
  const reason = "peer reset, message (closing connection) error(the TCP connection was closed by the remote end)";
  expect(parseEvent(stateEvent("down", `, "reason": "${reason}"`))).toEqual({
    type: "state",
    address: "192.0.2.1",
    state: "down",
    reason,
  });
});

test("a session that is down with a line feed in the reason, as a NOTIFICATION can cause: the line is cut off there", () => {
  const [line = ""] = stateEvent("down", ', "reason": "peer reset, error(Cease / x\ndone\n( forged ))"').split("\n");
  expect(parseEvent(line)).toEqual({
    type: "state",
    address: "192.0.2.1",
    state: "down",
    reason: "peer reset, error(Cease / x",
  });
});

test.each([
  ["a control character", "error(Cease / a\tb)", "error(Cease / a b)"],
  ["a backslash", "error(Cease / \\x80)", "error(Cease / \\x80)"],
  ["a quote that is escaped, and a backslash", '(\\"id\\": \\d)', '("id": \\d)'],
  ["what looks like the end of the event, but for its braces", 'a\tb\\" ) )', 'a b" ) )'],
])("the reason of a session that is down ends where it does, though %s in it leaves no JSON", (_, printed, reason) => {
  const line = stateEvent("down", `, "reason": "${printed}"`);
  expect(() => JSON.parse(line)).toThrow(SyntaxError);
  expect(parseEvent(line)).toEqual({ type: "state", address: "192.0.2.1", state: "down", reason });
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
      if (event.type === "state") expect(event.reason ?? "").toBe(printable(event.reason ?? ""));
    }),
    { numRuns: 1000 },
  );
});

function negotiatedEvent(receive: string): string {
  return `{ "exabgp": "4.0.1", "time": 1795414258.52, "host" : "ha1", "pid" : 9656, "ppid" : 1, "counter": 3, "type": "negotiated", "neighbor": { "address": { "local": "192.0.2.11", "peer": "192.0.2.1" }, "asn": { "local": 65011, "peer": 65001 } , "negotiated": { "message_size": 4096, "hold_time": 9, "asn4": true, "multisession": false, "operational": false, "refresh": "absent", "families": [ "ipv4 unicast" ], "nexthop": [  ], "add_path": { "send": [  ], "receive": [ ${receive} ] } }  } }`;
}

test.each([
  ['"ipv4 unicast"', true],
  ["", false],
  ['"ipv6 unicast"', false],
])("whether a router sends all its paths is what was negotiated: %s", (receive, addPath) => {
  expect(parseEvent(negotiatedEvent(receive))).toEqual({ type: "negotiated", address: "192.0.2.1", addPath });
});

describe("the attributes of a path", () => {
  const read = {
    asPath: [65001, 65011],
    med: 5,
    communities: [[65535, 0]],
    largeCommunities: [[65011, 434, 3_232_235_777]],
  };
  const common = `"med": 5, "community": [ [ 65535, 0 ] ], "large-community": [ [ 65011, 434 , 3232235777 ] ]`;

  test.each([
    ["4.2.21", `{ "origin": "igp", "as-path": [ 65001, 65011 ], "confederation-path": [], ${common} }`],
    [
      "5.0.13",
      `{ "origin": "igp", "as-path": {"0": {"element": "as-sequence", "value": [65001, 65011]}, "1": {"element": "as-set", "value": [7, 8]}}, ${common} }`,
    ],
  ])("are read as ExaBGP %s writes them", (_, json) => {
    expect(parseAttributes(JSON.parse(json))).toEqual(read);
  });

  test("may be none: a route of the router itself, within our own AS", () => {
    expect(parseAttributes({})).toEqual({ asPath: [], communities: [], largeCommunities: [] });
  });

  test.each<[string, unknown]>([
    ["nothing", undefined],
    ["a list", []],
    ["an AS that is none", { "as-path": [-1] }],
    ["a path without end", { "as-path": new Array(257).fill(65001) }],
    [
      "a path without end, in segments",
      {
        "as-path": Object.fromEntries(
          Array.from({ length: 20 }, (_, index) => [index, { element: "as-sequence", value: new Array(200).fill(1) }]),
        ),
      },
    ],
    ["a path of words", { "as-path": "65001 65011" }],
    ["a community of three", { community: [[1, 2, 3]] }],
    ["a community that is too large", { community: [[65536, 0]] }],
    ["too many communities", { community: new Array(257).fill([1, 1]) }],
    ["a MED of more than 32 bits", { med: 2 ** 32 }],
  ])("are refused: %s", (_, raw) => {
    expect(parseAttributes(raw)).toBeUndefined();
  });
});

test.each([
  ["exabgp 4.2.21", true],
  ["exabgp 4.2.22-2", true],
  ["exabgp 5.0.13", true],
  ["exabgp 5.1.0", true],
  ["exabgp 6.0.0", false],
  ["exabgp 3.4.2", false],
  ["unknown", false],
])("%j is a version whose API is known: %j", (version, known) => {
  expect(isKnownVersion(version)).toBe(known);
});

test("text of unknown origin becomes short and printable", () => {
  expect(printable("a\u001b[31mred\r\n\u0000b")).toBe("a [31mred b");
  expect(printable("x".repeat(1000))).toHaveLength(200);
});
