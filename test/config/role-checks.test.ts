import { describe, expect, test } from "vitest";
import { configReference } from "../../src/config/reference.ts";
import { ConfigDirectory, minimal } from "./config-directory.ts";

const bgp = (more: Readonly<Record<string, unknown>> = {}, neighbor: Readonly<Record<string, unknown>> = {}) =>
  `10.1.0.12\n    bgp: ${JSON.stringify({
    as: 65012,
    "router-id": "10.1.0.12",
    neighbors: [{ address: "10.1.0.1", as: 65001, ...neighbor }],
    ...more,
  })}`;

/** What is wrong with the minimal configuration after changes to the member ha2, and with lines added. */
function problemsOf(member: string, more = "", virtual: readonly [from: string, to: string] = ["", ""]): string[] {
  using directory = new ConfigDirectory();
  const yaml = minimal.replace("10.1.0.12", member).replace(...virtual);
  return directory.problems(yaml + more).map((problem) => problem.replace(/^anyhome\.yaml:\d+:\d+: /, ""));
}

const NO_HOSTS = ["0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"];
const NO_NETWORKS = [
  "0.0.0.0/0",
  "0.0.0.0/8",
  "224.0.0.0/4",
  "192.0.0.0/2",
  "64.0.0.0/2",
  "240.0.0.0/4",
  "255.255.255.255/32",
];

/** Every place of an address, with a value in it. */
const hosts: Readonly<Record<string, (address: string) => string[]>> = {
  "virtual-address": (address) => problemsOf("10.1.0.12", "", ["10.64.0.1\n", `${address}\n`]),
  "members[1].address": (address) => problemsOf(address),
  "members[1].listen": (address) => problemsOf(`10.1.0.12\n    listen: ${address}:434`),
  "members[1].bgp.router-id": (address) => problemsOf(bgp({ "router-id": address })),
  "members[1].bgp.local-address": (address) => problemsOf(bgp({ "local-address": address })),
  "members[1].bgp.neighbors[0].address": (address) => problemsOf(bgp({}, { address })),
  "members[1].bfd.local-address": (address) =>
    problemsOf(`10.1.0.12\n    bfd: { neighbors: [10.1.0.1], local-address: ${address} }`),
  "members[1].bfd.neighbors[0]": (address) => problemsOf(`10.1.0.12\n    bfd: { neighbors: [${address}] }`),
  "security-associations.mobiles[1].home-address": (address) =>
    problemsOf("10.1.0.12", `    - { home-address: ${address}, spi: 300, key: "1234567812345678" }\n`),
  "security-associations.foreign-agents[0].address": (address) =>
    problemsOf("10.1.0.12", `  foreign-agents:\n    - { address: ${address}, spi: 300, key: "1234567812345678" }\n`),
};

const networks: Readonly<Record<string, (network: string) => string[]>> = {
  "virtual-network": (network) => problemsOf("10.1.0.12", "", ["10.64.0.0/12", network]),
  "announce[1]": (network) => problemsOf("10.1.0.12", `announce: [network, ${network}]\n`),
  "registration.home-networks[0]": (network) =>
    problemsOf("10.1.0.12", `registration: { home-networks: [${network}, 10.64.0.0/12] }\n`),
};

describe("an address is refused where it can't be what it is for", () => {
  test.each(Object.entries(hosts))("as %s, that of no host", (path, problems) => {
    for (const address of NO_HOSTS) {
      expect(problems(address), address).toContainEqual(
        expect.stringMatching(
          new RegExp(`^error: ${path.replaceAll(/[[\].]/g, "\\$&")}: expected (the|a) .*${address}`),
        ),
      );
    }
  });

  test.each(Object.entries(networks))("as %s, a network that is not of hosts", (path, problems) => {
    for (const network of NO_NETWORKS) {
      const [problem] = problems(network).filter((it) => it.startsWith(`error: ${path}: `));
      expect(problem, network).toMatch(/ an IPv4 network of hosts/);
    }
  });

  test("no address of the schema is left out here", () => {
    const places = [...Object.keys(hosts), ...Object.keys(networks)].map((path) => path.replaceAll(/\[\d+\]/g, "[]"));
    const asked = configReference().flatMap(({ key, expected }) =>
      /IPv4 (address|network) of (a host|hosts)|BGP identifier/.test(expected) ? [key] : [],
    );
    expect(asked.filter((key) => !places.includes(key) && !places.includes(`${key}[]`))).toEqual([]);
    expect(asked).toHaveLength(places.length);
  });

  test.each(["members[1].address", "members[1].bfd.neighbors[0]"])(
    "as %s, that of the loopback interface, while others are elsewhere",
    (path) => {
      expect(hosts[path]?.("127.0.0.1")).toContainEqual(expect.stringContaining(`error: ${path}: is `));
    },
  );

  test("on one host, for trials, all may be on the loopback interface", () => {
    using directory = new ConfigDirectory();
    const yaml = minimal
      .replaceAll("10.1.0.1", "127.0.0.1")
      .replaceAll("10.64.0.", "127.64.0.")
      .replace(/range: \S+/, "realm: a,");
    expect(directory.problems(yaml)).toEqual([]);
  });

  test.each([
    ["a member's address", "10.64.0.1", "members[1].address: is the virtual address, which all members have"],
    ["BGP's own end", bgp({ "local-address": "10.64.0.1" }), "members[1].bgp.local-address: is the virtual address"],
    [
      "a router's address",
      bgp({}, { address: "10.64.0.1" }),
      "members[1].bgp.neighbors[0].address: is the virtual address",
    ],
    [
      "BFD's own end",
      "10.1.0.12\n    bfd: { neighbors: [10.1.0.1], local-address: 10.64.0.1 }",
      "members[1].bfd.local-address: is the virtual",
    ],
    [
      "a router of BFD",
      "10.1.0.12\n    bfd: { neighbors: [10.64.0.1] }",
      "members[1].bfd.neighbors[0]: is the virtual address",
    ],
    [
      "another member's address",
      bgp({ "local-address": "10.1.0.11" }),
      "members[1].bgp.local-address: is the address of member ha1",
    ],
    [
      "its own address, to a neighbor",
      "10.1.0.12\n    bfd: { neighbors: [10.1.0.12] }",
      "members[1].bfd.neighbors[0]: is the member's own address",
    ],
    [
      "a member's address, in a pool",
      "10.70.0.12\n    pool: [10.70.0.0/24]",
      "members[1].pool[0]: must not have the address of member ha2",
    ],
  ])("%s", (_what, member, problem) => {
    const errors = problemsOf(member).filter((it) => it.startsWith("error: "));
    expect(errors).toEqual([expect.stringContaining(`error: ${problem}`)]);
  });

  test.each([
    [
      "a mobile",
      '    - { home-address: 10.64.0.1, spi: 300, key: "1234567812345678" }\n',
      "mobiles[1].home-address: is the virtual address",
    ],
    [
      "a foreign agent",
      '  foreign-agents:\n    - { address: 10.1.0.11, spi: 300, key: "1234567812345678" }\n',
      "foreign-agents[0].address: is the address of member ha1",
    ],
  ])("a home agent's, for %s", (_what, more, problem) => {
    expect(problemsOf("10.1.0.12", more)).toEqual([`error: security-associations.${problem}`]);
  });

  test("prohibited networks leave some care-of addresses", () => {
    expect(problemsOf("10.1.0.12", "registration: { prohibited-care-of-networks: [10.0.0.0/8, 0.0.0.0/0] }\n")).toEqual(
      ["error: registration.prohibited-care-of-networks[1]: leaves no care-of address at all"],
    );
  });

  test("anywhere may be where foreign agents are", () => {
    const entry = '{ network: 0.0.0.0/0, spi: 300, key: "1234567812345678" }';
    expect(problemsOf("10.1.0.12", `  foreign-agents:\n    - ${entry}\n`)).toEqual([]);
  });

  test("a member within what all announce may be out of the others' reach: a warning", () => {
    expect(problemsOf("10.70.0.12")).toEqual([
      "warning: members[1].address: 10.70.0.12 is inside 10.64.0.0/12, which all members announce: what is for this one may reach another",
    ]);
    expect(problemsOf("10.1.0.12", "announce: [network, 10.1.0.12/32]\n")).toHaveLength(1);
  });
});

describe("numbers of autonomous systems that no router has are refused (RFC 6793, 7300, 7607)", () => {
  test.each([0, 23_456, 65_535, 4_294_967_295, 4_294_967_296, -1, 65_012.5])("%d", (system) => {
    const expected = "expected the number of an autonomous system, from 1 to 4294967294, but neither 23456 nor 65535";
    expect(problemsOf(bgp({ as: system }))).toEqual([`error: members[1].bgp.as: ${expected}, found ${system}`]);
    expect(problemsOf(bgp({}, { as: system }))).toEqual([
      `error: members[1].bgp.neighbors[0].as: ${expected}, found ${system}`,
    ]);
  });

  test("others, those for private use among them, are not", () => {
    for (const system of [1, 23_455, 64_512, 65_534, 65_536, 4_200_000_000, 4_294_967_294]) {
      expect(problemsOf(bgp({ as: system }))).toEqual([]);
    }
  });
});

describe("a port is for one thing", () => {
  test.each([
    [
      "registrations, on the member's address",
      "10.1.0.12\n    port: 4434\n    listen: 10.1.0.12:4434",
      "",
      "members[1].listen: 10.1.0.12:4434",
    ],
    [
      "registrations, where relaying is by MAC address",
      "10.1.0.12\n    port: 434",
      "relay: { addressing: l2 }\n",
      "members[1].port: 10.64.0.1:434",
    ],
    [
      "... with one member",
      "10.1.0.12\n    port: 434",
      "relay: { pairs: [{ members: [ha1, ha2], addressing: l2 }] }\n",
      "members[1].port: 10.64.0.1:434",
    ],
    ["BFD", "10.1.0.12\n    port: 3784\n    bfd: { neighbors: [10.1.0.1] }", "", "members[1].port: 10.1.0.12:3784"],
  ])("and not for the cluster channel as well as for %s", (_what, member, more, problem) => {
    expect(problemsOf(member, more)).toEqual([expect.stringContaining(`error: ${problem} can't be for `)]);
  });

  test("the same port on another address is another one", () => {
    expect(problemsOf("10.1.0.12\n    port: 434")).toEqual([]);
    expect(problemsOf("10.1.0.12\n    port: 3784")).toEqual([]);
  });
});

test.each([
  "timers: { relay-timeout: 02s }",
  "timers: { relay-timeout: 2e0s }",
  "timers: { relay-timeout: +2s }",
  "timers: { relay-timeout: 0x2s }",
  "timers: { relay-timeout: 2.s }",
  "health: { free-disk: { degraded: 0256MiB } }",
  "health: { free-disk: { degraded: 1e2MiB } }",
])("amounts are decimal digits without leading zeros: %s", (line) => {
  expect(problemsOf("10.1.0.12", `${line}\n`)).toEqual([
    expect.stringMatching(/^error: .*: expected a (duration|size) such as/),
  ]);
});
