import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { checkConfig } from "../../src/config/check.ts";
import { ConfigDirectory, minimal } from "./config-directory.ts";

/** What is wrong with the minimal configuration after a change, and with lines added. */
function problemsAfter(change: readonly [from: string, to: string], more = "", files = {}): string[] {
  using directory = new ConfigDirectory(files);
  expect(minimal).toContain(change[0]);
  return directory.problems(minimal.replace(change[0], change[1]) + more);
}

const problemsWith = (more: string, files = {}) => problemsAfter(["", ""], more, files);

test("the minimal configuration has no problem", () => {
  expect(problemsWith("")).toEqual([]);
});

describe("form", () => {
  test.each([
    ["cluster: lab\n", "", "1:1: error: cluster: is missing; expected a cluster name such as lab"],
    ["cluster: lab", "cluster: 5", "1:10: error: cluster: expected a cluster name such as lab, in quotes, found 5"],
    ["cluster: lab", "cluster:", "1:9: error: cluster: expected a cluster name such as lab, found nothing"],
    [
      "10.64.0.1\n",
      "10.64.0.256\n",
      '4:18: error: virtual-address: expected the IPv4 address of a host such as 10.1.0.11, found "10.64.0.256"',
    ],
    [
      "10.64.0.0/12",
      "10.64.0.1/12",
      '3:18: error: virtual-network: expected an IPv4 network of hosts, without host bits, such as 10.64.0.0/12, found "10.64.0.1/12"',
    ],
    [
      "10.64.1.0-10",
      "10.80.1.0-10",
      '12:16: error: security-associations.mobiles[0].range: expected a range of IPv4 addresses such as 10.79.0.0-10.79.63.255 or 10.79.0.0/18, found "10.80.1.0-10.79.255.254"',
    ],
    [
      "spi: 256",
      "spi: 255",
      "12:46: error: security-associations.mobiles[0].spi: expected a whole number from 256 to 4294967295, found 255",
    ],
    [
      "spi: 256",
      "spi: 300.5",
      "12:46: error: security-associations.mobiles[0].spi: expected a whole number from 256 to 4294967295, found 300.5",
    ],
    ["id: ha1", "id: ha 1", '6:9: error: members[0].id: expected a member id such as ha1, found "ha 1"'],
    [
      "    address: 10.1.0.12\n",
      "",
      "8:5: error: members[1].address: is missing; expected the IPv4 address of a host such as 10.1.0.11",
    ],
    [
      "id: ha2\n    address: 10.1.0.12",
      "[ha2]",
      "8:5: error: members[1]: expected a section with keys and values, found a list",
    ],
  ])("%j → %j", (from, to, problem) => {
    expect(problemsAfter([from, to])).toContain(`anyhome.yaml:${problem}`);
  });

  test.each([
    [
      "timers: { peer-timeout: 800 }",
      "13:25: error: timers.peer-timeout: expected a duration such as 800ms (20ms to 10m), found 800",
    ],
    [
      "timers: { peer-timeout: 800 ms }",
      '13:25: error: timers.peer-timeout: expected a duration such as 800ms (20ms to 10m), found "800 ms"',
    ],
    [
      "timers: { peer-timeout: 1h }",
      '13:25: error: timers.peer-timeout: expected a duration such as 800ms (20ms to 10m), found "1h"',
    ],
    [
      "timers: { relay-timeout: 100.5ms }",
      '13:26: error: timers.relay-timeout: expected a duration such as 2s (100ms to 1m), found "100.5ms"',
    ],
    [
      "registration: { maximum-lifetime: 1500ms }",
      '13:35: error: registration.maximum-lifetime: expected a duration in whole seconds such as 30m (1s to 65534s), or infinite, found "1500ms"',
    ],
    [
      "registration: { reverse-tunneling: require }",
      '13:36: error: registration.reverse-tunneling: expected one of refused, allowed, required, found "require"; did you mean "required"?',
    ],
    [
      "registration: { encapsulation: [ip-in-ip, gree] }",
      '13:43: error: registration.encapsulation[1]: expected one of ip-in-ip, minimal, gre, found "gree"; did you mean "gre"?',
    ],
    ["manage-address: yes", '13:17: error: manage-address: expected true or false, found "yes"'],
    ["log: debug", '13:6: error: log: expected a section with keys and values, found "debug"'],
    ["advertiser: { type: bird }", '13:21: error: advertiser.type: expected one of none, exabgp, ospf, found "bird"'],
    [
      "advertiser: { type: exabgp, hold-time: 2s }",
      '13:40: error: advertiser.hold-time: expected a duration in whole seconds such as 9s (0s, or 3s to 65535s), found "2s"',
    ],
    ["data-directory: []", "13:17: error: data-directory: expected a file path, found an empty list"],
  ])("%s", (line, problem) => {
    expect(problemsWith(line)).toContain(`anyhome.yaml:${problem}`);
  });

  test("a value that can't be shown on a line is shortened", () => {
    const [problem = ""] = problemsAfter(["lab", `"${"x".repeat(10_000)}"`]);
    expect(problem.length).toBeLessThan(200);
  });

  test("keys of associations never appear in messages", () => {
    const problems = problemsAfter(['key: "1234567812345678"', "key: 1234567812345678"]).concat(
      problemsAfter(['key: "1234567812345678"', 'key-hex: "secretsecret"']),
    );
    expect(problems).toEqual([
      "anyhome.yaml:12:56: error: security-associations.mobiles[0].key: expected text, in quotes, found number (not shown)",
      "anyhome.yaml:12:60: error: security-associations.mobiles[0].key-hex: expected pairs of hexadecimal digits, found string (not shown)",
    ]);
  });
});

describe("misspelt keys", () => {
  test.each([
    ["relays: {}", '13:1: error: relays: unknown key; did you mean "relay"?'],
    ["colour: red", "13:1: error: colour: unknown key"],
    [
      "timers: { hartbeat-interval: 1s }",
      '13:11: error: timers.hartbeat-interval: unknown key; did you mean "heartbeat-interval"?',
    ],
    [
      "advertiser: { type: exabgp, holdtime: 9s }",
      '13:29: error: advertiser.holdtime: unknown key; did you mean "hold-time"?',
    ],
    ["advertiser: { type: none, hold-time: 9s }", "13:27: error: advertiser.hold-time: unknown key"],
  ])("%s", (line, problem) => {
    expect(problemsWith(line)).toContain(`anyhome.yaml:${problem}`);
  });

  test("inside lists", () => {
    expect(problemsAfter(["    address: 10.1.0.12", "    adress: 10.1.0.12"])).toEqual([
      "anyhome.yaml:8:5: error: members[1].address: is missing; expected the IPv4 address of a host such as 10.1.0.11",
      'anyhome.yaml:9:5: error: members[1].adress: unknown key; did you mean "address"?',
    ]);
  });
});

describe("how parts fit together", () => {
  test.each([
    ["10.64.0.1\n", "10.80.0.1\n", "4:18: error: virtual-address: must be inside the virtual network 10.64.0.0/12"],
    [
      "10.64.0.1\n",
      "10.64.0.0\n",
      "4:18: error: virtual-address: must not be the first or last address of 10.64.0.0/12",
    ],
    [
      "10.64.0.1\n",
      "10.79.255.255\n",
      "4:18: error: virtual-address: must not be the first or last address of 10.64.0.0/12",
    ],
    ["id: ha2", "id: ha1", "8:9: error: members[1].id: members[0] has the same: ha1"],
    [
      "10.1.0.12",
      "10.1.0.12\n    backups: [ha2]",
      "10:15: error: members[1].backups[0]: a member can't be its own backup",
    ],
    [
      "10.1.0.12",
      "10.1.0.12\n    backups: [ha1, ha3]",
      "10:20: error: members[1].backups[1]: there is no member ha3; there are ha1, ha2",
    ],
    ["10.1.0.12", "10.1.0.12\n    backups: [ha1, ha1]", "10:20: error: members[1].backups[1]: ha1 is named twice"],
    ["10.1.0.12", "10.1.0.11", "9:14: error: members[1].address: members[0] has the same: 10.1.0.11:4340"],
    [
      "10.1.0.12",
      "10.1.0.12\n    pool: [10.80.0.0/24]",
      "10:12: error: members[1].pool[0]: must be inside a home network: 10.64.0.0/12",
    ],
    [
      "10.1.0.12",
      "10.1.0.12\n    pool: [10.64.0.0/24]",
      "10:12: error: members[1].pool[0]: must not have the virtual address 10.64.0.1",
    ],
    [
      "10.1.0.12",
      "10.1.0.12\n    pool: [10.70.0.0/24, 10.70.0.255-10.70.1.0]",
      "10:26: error: members[1].pool[1]: overlaps 10.70.0.0-10.70.0.255 of another pool; two mobiles could get one address",
    ],
    [
      "10.1.0.12",
      "10.1.0.12\nhealth: { damping: { suppress: 2, reuse: 2 } }",
      "10:42: error: health.damping.reuse: must be less than suppress",
    ],
    [
      "10.1.0.12",
      "10.1.0.12\nhealth: { damping: { maximum: 90s } }",
      "10:31: error: health.damping.maximum: is too short for damping to ever act: no penalty that decays to reuse in this time, by half in each half-life, is more than 2.83, and suppress is 3",
    ],
    [
      "10.1.0.12",
      "10.1.0.12\nhealth: { clock: { degraded: 2s, fail: 1s } }",
      "10:40: error: health.clock.fail: must not be less than degraded",
    ],
    [
      "10.1.0.12",
      "10.1.0.12\nhealth: { free-disk: { degraded: 1MiB, fail: 1GiB } }",
      "10:46: error: health.free-disk.fail: must not be more than degraded",
    ],
    [
      "10.1.0.12",
      "10.1.0.12\nhealth: { exec: [{ name: clock, command: [true] }] }",
      "10:43: error: health.exec[0].command[0]: expected a program or an argument, found true",
    ],
    [
      "10.1.0.12",
      '10.1.0.12\nhealth: { exec: [{ name: clock, command: ["true"] }] }',
      "10:26: error: health.exec[0].name: there is a check of this name already",
    ],
  ])("%j → %j", (from, to, problem) => {
    expect(problemsAfter([from, to])).toEqual([`anyhome.yaml:${problem}`]);
  });

  test("pools of different members must not overlap, however they are nested", () => {
    const pools = (first: string, second: string) =>
      problemsAfter(["10.1.0.11\n", `10.1.0.11\n    pool: [${first}]\n`]).concat(
        problemsAfter([
          "10.1.0.11\n  - id: ha2\n    address: 10.1.0.12",
          `10.1.0.11\n    pool: [${first}]\n  - id: ha2\n    address: 10.1.0.12\n    pool: [${second}]`,
        ]),
      );
    expect(pools("10.70.0.0/16", "10.71.0.0/16")).toEqual([]);
    expect(pools("10.70.0.0/16", "10.70.5.0/24")).toHaveLength(1);
    expect(pools("10.70.5.0/24", "10.70.0.0/16")).toHaveLength(1);
    expect(pools("10.70.0.0/24, 10.72.0.0/24", "10.70.0.255-10.70.0.255, 10.72.0.128/25")).toHaveLength(2);
  });

  test("a silence that no router would notice deserves a warning: no BFD, and no hold time", () => {
    const advertiser = "advertiser: { type: exabgp, hold-time: 0s }";
    const bgp = (routers: readonly string[], bfd = "") =>
      `10.1.0.12\n    bgp: { as: 65012, router-id: 10.1.0.12, neighbors: [${routers.map((it) => `{ address: ${it}, as: 65001 }`).join(", ")}] }${bfd}\n`;
    using directory = new ConfigDirectory();
    const problems = (speaker: string) =>
      directory.problems(minimal.replace("10.1.0.12\n", speaker) + advertiser, "ha2");
    expect(problems(bgp(["10.1.0.1", "10.1.0.2"], "\n    bfd: { neighbors: [10.1.0.1] }"))).toEqual([
      `anyhome.yaml:8:5: warning: members[1]: has no bfd with 10.1.0.2, and hold-time is 0s: when this host vanishes, its routes stay for ever`,
    ]);
    expect(problems(bgp(["10.1.0.1"], "\n    bfd: { neighbors: [10.1.0.1] }"))).toEqual([]);
  });

  test("a sidecar without BFD deserves no warning: the kernel ends its helper when that is stopped", () => {
    using directory = new ConfigDirectory();
    const bgp = "bgp: { as: 65012, router-id: 10.1.0.12, neighbors: [{ address: 10.1.0.1, as: 65001 }] }";
    const yaml = minimal.replace("10.1.0.12\n", `10.1.0.12\n    ${bgp}\n`);
    expect(directory.problems(`${yaml}advertiser: { type: exabgp, mode: sidecar }`, "ha2")).toEqual([]);
  });

  test.each([
    [
      "timers: { heartbeat-interval: 400ms }",
      "13:1: error: timers.peer-timeout: must be more than two heartbeat intervals, or one lost heartbeat looks like death",
    ],
    [
      "registration: { encapsulation: [gre] }",
      "13:32: error: registration.encapsulation: must have ip-in-ip: a request without M and G asks for it (RFC 5944 3.8.3.1)",
    ],
    [
      "registration: { home-networks: [10.80.0.0/16, 10.64.0.0/12] }",
      "13:33: warning: registration.home-networks[0]: is not inside the virtual network 10.64.0.0/12: nothing announces it",
    ],
    [
      "registration: { home-networks: [10.64.0.0/24] }",
      "12:7: warning: security-associations.mobiles[0]: no home network has such home addresses",
    ],
    [
      "advertiser: { type: ospf, interface: anyhome10 }",
      '13:38: error: advertiser.interface: expected the name of an interface, of 8 letters, digits, dots and underscores at most, of 8 characters at most, found "anyhome10"',
    ],
    [
      "advertiser: { type: ospf, lease: 500ms }",
      '13:34: error: advertiser.lease: expected a duration in whole seconds such as 1s (1s to 1m), found "500ms"',
    ],
    [
      "data-plane: { type: bpf, device: any/home0 }",
      '13:34: error: data-plane.device: expected the name of an interface, of 15 letters, digits, dots and underscores at most, found "any/home0"',
    ],
    [
      "data-plane: { type: bpf, uplinks: [] }",
      "13:35: error: data-plane.uplinks: expected at least one interface, found an empty list",
    ],
    [
      "relay: { pairs: [{ members: [ha1, ha3], addressing: l2 }] }",
      "13:29: error: relay.pairs[0].members: there is no member ha3; there are ha1, ha2",
    ],
    [
      "relay: { pairs: [{ members: [ha1, ha1], addressing: l2 }] }",
      "13:29: error: relay.pairs[0].members: a pair is two different members",
    ],
    [
      "relay: { pairs: [{ members: [ha1], addressing: l2 }] }",
      "13:29: error: relay.pairs[0].members: expected two members, found a list",
    ],
    [
      "relay: { pairs: [{ members: [ha1, ha2], addressing: l2 }, { members: [ha2, ha1], addressing: l3 }] }",
      "13:70: error: relay.pairs[1].members: ha1 and ha2 are a pair already",
    ],
  ])("%s", (line, problem) => {
    expect(problemsWith(line)).toEqual([
      `anyhome.yaml:${problem.replace("13:1: error: timers", "13:9: error: timers")}`,
    ]);
  });

  const speaker = (as: number, routerId: string) =>
    `bgp: { as: ${as}, router-id: ${routerId}, neighbors: [{ address: 10.1.0.1, as: 65001 }] }`;

  test("with ExaBGP, every member needs bgp; where the node is known, only that one", () => {
    using directory = new ConfigDirectory();
    const yaml = `${minimal.replace("10.1.0.11", `10.1.0.11\n    ${speaker(65011, "10.1.0.11")}`)}advertiser: { type: exabgp }\n`;
    const problem = "anyhome.yaml:9:5: error: members[1]: needs bgp, as the advertiser is of type exabgp";
    expect(directory.problems(yaml)).toEqual([problem]);
    expect(directory.problems(yaml, "ha2")).toEqual([problem]);
    expect(directory.problems(yaml, "ha1")).toEqual([]);
  });

  test("router ids and the neighbors of a member are distinct", () => {
    const twice = `${speaker(65011, "10.1.0.11").replace("}] }", "}, { address: 10.1.0.1, as: 65002 }] }")}`;
    expect(problemsAfter(["10.1.0.11\n", `10.1.0.11\n    ${speaker(65011, "10.1.0.11")}\n`])).toEqual([]);
    expect(problemsAfter(["10.1.0.12\n", `10.1.0.12\n    ${twice}\n`])).toEqual([
      "anyhome.yaml:10:91: error: members[1].bgp.neighbors[1]: is a neighbor already",
    ]);
    expect(
      problemsAfter(["10.1.0.12\n", "10.1.0.12\n    bfd: { neighbors: [10.1.0.1, 10.1.0.2, 10.1.0.1] }\n"]),
    ).toEqual(["anyhome.yaml:10:44: error: members[1].bfd.neighbors[2]: is a neighbor already"]);
  });

  test.each([
    ["med: 4294967296", "med: expected a whole number from 0 to 4294967295, found 4294967296"],
    ["med: -1", "med: expected a whole number from 0 to 4294967295, found -1"],
    ["as-path-prepend: 17", "as-path-prepend: expected a whole number from 0 to 16, found 17"],
    ["communities: [65536:0]", 'communities[0]: expected a community such as "65011:100", found "65536:0"'],
    ["communities: [no-export]", 'communities[0]: expected a community such as "65011:100", found "no-export"'],
    [
      "large-communities: [65011:1]",
      'large-communities[0]: expected a large community such as "65011:1:100", found "65011:1"',
    ],
  ])("attributes that BGP or ExaBGP can't take are refused: %s", (attribute, problem) => {
    const bgp = speaker(65011, "10.1.0.11").replace("as: 65001", `as: 65001, ${attribute}`);
    const [found = ""] = problemsAfter(["10.1.0.11\n", `10.1.0.11\n    ${bgp}\n`]);
    expect(found).toContain(`error: members[0].bgp.neighbors[0].${problem}`);
  });

  test.each([
    [
      "announce: []",
      "13:11: error: announce: expected at least one of network, address, or a prefix, found an empty list",
    ],
    [
      "announce: [all]",
      '13:12: error: announce[0]: expected network, address, or an IPv4 network of hosts, without host bits, such as 192.0.2.0/24, found "all"',
    ],
    ["announce: [network, 10.64.0.0/12]", "13:21: error: announce[1]: is announced already: 10.64.0.0/12"],
    [
      "announce: [192.0.2.0/24]",
      "13:11: error: announce: must cover the virtual address 10.64.0.1: nothing else leads requests here",
    ],
  ])("what is announced leads here, and is said once: %s", (line, problem) => {
    expect(problemsWith(line)).toContain(`anyhome.yaml:${problem}`);
  });

  test("OSPF announces networks, not a single address; it needs no bgp", () => {
    expect(problemsWith("advertiser: { type: ospf }\nannounce: [network]\n")).toEqual([]);
    expect(problemsWith("advertiser: { type: ospf }\nannounce: [network, address]\n")).toEqual([
      "anyhome.yaml:14:21: error: announce[1]: can't be announced by OSPF: a single address is no network of an interface of its own",
    ]);
  });

  test("the node must be one of the members", () => {
    using directory = new ConfigDirectory();
    expect(directory.problems(minimal, "ha9")).toEqual([
      'anyhome.yaml:6:3: error: members: no member has the id of this node, "ha9"; there are ha1, ha2',
    ]);
    expect(directory.problems(`node: ha9\n${minimal}`, "ha1")).toEqual([]);
  });
});

describe("security associations", () => {
  const associations = (...entries: string[]) =>
    problemsAfter(
      [
        '    - { range: 10.64.1.0-10.79.255.254, spi: 256, key: "1234567812345678" }\n',
        entries.map((entry) => `    - ${entry}\n`).join(""),
      ],
      "",
      { short: "short\n", empty: "\n", odd: "hex:0\n", "hex.key": "hex:00112233445566778899 aabbccddeeff\n" },
    ).map((problem) => problem.replace("security-associations.", ""));
  const key = 'key: "1234567812345678"';

  test("have one selector and one key each", () => {
    expect(associations(`{ spi: 256, ${key} }`)).toEqual([
      "anyhome.yaml:12:7: error: mobiles[0]: expected one of nai, home-address, range, realm; found none",
    ]);
    expect(associations(`{ nai: a@b, realm: b, spi: 256, ${key} }`)).toEqual([
      "anyhome.yaml:12:7: error: mobiles[0]: expected one of nai, home-address, range, realm; found nai and realm",
    ]);
    expect(associations("{ nai: a@b, spi: 256 }")).toEqual([
      "anyhome.yaml:12:7: error: mobiles[0]: expected one of key, key-hex, key-file; found none",
    ]);
    expect(associations(`{ nai: a@b, spi: 256, ${key}, key-file: hex.key }`)).toEqual([
      "anyhome.yaml:12:7: error: mobiles[0]: expected one of key, key-hex, key-file; found key and key-file",
    ]);
    expect(
      problemsWith(`  foreign-agents:\n    - { network: 10.0.0.0/8, address: 10.1.1.1, spi: 256, ${key} }`),
    ).toEqual([
      "anyhome.yaml:14:7: error: security-associations.foreign-agents[0]: expected one of network, address; found network and address",
    ]);
  });

  test("are distinct by selector and SPI, whatever form the selector has", () => {
    expect(associations(`{ nai: a@b, spi: 256, ${key} }`, `{ nai: a@B, spi: 256, ${key} }`)).toEqual([
      "anyhome.yaml:13:24: error: mobiles[1].spi: a second association for NAI a@b, SPI 256; the first is at anyhome.yaml:12",
    ]);
    expect(associations(`{ realm: b, spi: 256, ${key} }`, `{ realm: B, spi: 256, ${key} }`)).toHaveLength(1);
    expect(
      associations(`{ home-address: 10.64.1.1, spi: 256, ${key} }`, `{ range: 10.64.1.1-10.64.1.1, spi: 256, ${key} }`),
    ).toHaveLength(1);
    expect(
      associations(
        `{ home-address: 10.64.1.1, spi: 256, ${key} }`,
        `{ range: 10.64.1.1-10.64.1.2, spi: 256, ${key} }`,
        `{ home-address: 10.64.1.1, spi: 257, ${key} }`,
        `{ nai: a@b, spi: 256, ${key} }`,
        `{ realm: b, spi: 256, ${key} }`,
      ),
    ).toEqual([]);
  });

  test("have a window with timestamps only", () => {
    expect(associations(`{ nai: a@b, spi: 256, ${key}, replay: nonces, window: 7s }`)).toEqual([
      "anyhome.yaml:12:78: error: mobiles[0].window: is for replay: timestamps only",
    ]);
  });

  test("with short keys can be used, with empty or unreadable ones not", () => {
    expect(associations("{ nai: a@b, spi: 256, key-file: short }")).toEqual([
      "anyhome.yaml:12:39: warning: mobiles[0].key-file: the key has 5 bytes; RFC 5944 5.1 expects 16 or more",
    ]);
    expect(associations("{ nai: a@b, spi: 256, key-file: hex.key }")).toEqual([]);
    expect(associations("{ nai: a@b, spi: 256, key-file: empty }")).toEqual([
      "anyhome.yaml:12:39: error: mobiles[0].key-file: empty is empty",
    ]);
    expect(associations("{ nai: a@b, spi: 256, key-file: odd }")).toEqual([
      "anyhome.yaml:12:39: error: mobiles[0].key-file: odd has other than pairs of hexadecimal digits after hex:",
    ]);
    expect(associations("{ nai: a@b, spi: 256, key-file: missing }")).toEqual([
      expect.stringContaining("12:39: error: mobiles[0].key-file: cannot be read: ENOENT"),
    ]);
  });

  test("that are missing altogether deserve a warning", () => {
    expect(associations("{}").length).toBeGreaterThan(0);
    expect(problemsAfter([minimal.slice(minimal.indexOf("security")), ""])).toEqual([
      "anyhome.yaml:1:1: warning: security-associations: there is no association with any mobile: none can register",
    ]);
  });
});

describe("files with keys", () => {
  test("that every user can read deserve a warning", () => {
    using directory = new ConfigDirectory();
    directory.write("public.secret", "0123456789abcdef0123456789abcdef", 0o644);
    directory.write("public.key", "0123456789abcdef", 0o604);
    const yaml = minimal
      .replace("cluster.secret", "public.secret")
      .replace('key: "1234567812345678"', "key-file: public.key");
    expect(directory.problems(yaml)).toEqual([
      "anyhome.yaml:2:14: warning: secret-file: every user can read public.secret; chmod 600 keeps the key to its owner",
      "anyhome.yaml:12:61: warning: security-associations.mobiles[0].key-file: every user can read public.key; chmod 600 keeps the key to its owner",
    ]);
  });

  test("with a short cluster secret can't be used", () => {
    expect(problemsAfter(["cluster.secret", "short"], "", { short: "x".repeat(31) })).toEqual([
      "anyhome.yaml:2:14: error: secret-file: the secret must have at least 32 bytes, found 31; openssl rand -hex 32 makes one",
    ]);
  });
});

describe("an additional file of associations", () => {
  const more = "security-associations-file: sub/more.yaml\n";

  test("is checked like the main one, with its own places", () => {
    const file = 'mobiles:\n  - { nai: a@b, spi: 1, key: "1234567812345678" }\nforeign-agent: []\n';
    expect(problemsWith(more, { "sub/more.yaml": file })).toEqual([
      "sub/more.yaml:2:22: error: mobiles[0].spi: expected a whole number from 256 to 4294967295, found 1",
      'sub/more.yaml:3:1: error: foreign-agent: unknown key; did you mean "foreign-agents"?',
    ]);
  });

  test("may be JSON, with places too", () => {
    const json = more.replace("yaml", "json");
    const file = '{ "mobiles": [\n  { "nai": "a@b", "spi": 256, "key-file": "a.key" },\n  { "nai": 5 }\n] }';
    expect(problemsWith(json, { "sub/more.json": file, "sub/a.key": "1234567812345678" })).toEqual([
      "sub/more.json:3:3: error: mobiles[1].spi: is missing; expected a whole number from 256 to 4294967295",
      "sub/more.json:3:12: error: mobiles[1].nai: expected a network access identifier such as alice@example.com, found 5",
    ]);
    expect(problemsWith(json, { "sub/more.json": '{ "mobiles": [' })[0]).toMatch(
      /^sub\/more\.json:1:\d+: error: not YAML: /,
    );
  });

  test("must not repeat what the main one has", () => {
    const file = 'mobiles:\n  - { range: 10.64.1.0-10.79.255.254, spi: 256, key: "1234567812345678" }\n';
    expect(problemsWith(more, { "sub/more.yaml": file })).toEqual([
      "sub/more.yaml:2:44: error: mobiles[0].spi: a second association for home addresses 10.64.1.0-10.79.255.254, SPI 256; the first is at anyhome.yaml:12",
    ]);
  });

  test("that is missing is one problem among the others", () => {
    expect(problemsWith(`${more}relays: {}\n`)).toEqual([
      'anyhome.yaml:14:1: error: relays: unknown key; did you mean "relay"?',
      expect.stringContaining("sub/more.yaml: error: cannot be read: ENOENT"),
    ]);
  });
});

describe("what is no configuration at all", () => {
  test.each([
    ["", "1:1: error: expected a configuration with keys such as cluster and members"],
    ["- a\n- b\n", "1:1: error: expected a configuration with keys such as cluster and members"],
    ["cluster: [lab\n", "2:1: error: not YAML: "],
    ["cluster: lab\ncluster: lab\n", "2:1: error: not YAML: Map keys must be unique"],
    ["cluster: *nobody\n", "1:10: error: not YAML: Unresolved alias"],
    ["\tcluster: lab\n", "1:1: error: not YAML: "],
  ])("%j", (yaml, problem) => {
    using directory = new ConfigDirectory();
    expect(directory.problems(yaml)[0]).toContain(`anyhome.yaml:${problem}`);
  });

  test("a file that can't be read", () => {
    expect(checkConfig("/nonexistent/anyhome.yaml")).toEqual([
      { severity: "error", file: "/nonexistent/anyhome.yaml", path: "", message: expect.stringContaining("ENOENT") },
    ]);
  });

  test.each<[string, string, string]>([
    [
      "a list without end",
      `cluster: [${"a,".repeat(2_000_000)}a]\n`,
      "1:600008: error: more than 600000 keys, values and marks",
    ],
    ["brackets without end", "[".repeat(1_000_000), "1:101: error: more than 100 brackets inside of each other"],
    ["lists inside of each other without end", "- ".repeat(100_000), "error: "],
    ["aliases without end", `a: &x 1\nb: [${"*x, ".repeat(100_000)}]\n`, "2:405: error: more than 100 aliases"],
    ["bytes without end", `cluster: ${"x".repeat(70_000_000)}\n`, "error: the file is longer than 64.0 MiB"],
  ])("%s", (_, text, problem) => {
    using directory = new ConfigDirectory();
    const [first = ""] = directory.problems(text);
    expect(first.slice(0, 300)).toContain("anyhome.yaml:");
    expect(first.slice(0, 300)).toContain(problem);
  });

  test("aliases that would fill the memory", () => {
    using directory = new ConfigDirectory();
    const levels = Array.from({ length: 20 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}, *a${i}, *a${i}]`);
    expect(directory.problems(`a0: &a0 [x]\n${levels.join("\n")}\n`)[0]).toContain("error: not YAML: ");
  });

  test("anything, as a whole or as a part, is described and never a crash", () => {
    using directory = new ConfigDirectory();
    const part = fc.constantFrom("cluster", "members", "timers", "security-associations", "advertiser", "log", "node");
    fc.assert(
      fc.property(part, fc.jsonValue(), (key, value) => {
        for (const problem of directory.problems(stringify({ [key]: value })))
          expect(problem).toMatch(/^anyhome\.yaml:\d+:\d+: /);
        directory.problems(minimal + stringify(value));
      }),
    );
  });
});
