import { join } from "node:path";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { loadConfig } from "../../src/config/load.ts";
import { ConfigError } from "../../src/config/problem.ts";
import { effectiveConfig } from "../../src/config/show.ts";
import { formatPrefix, ipv4 } from "../../src/core/wire/ipv4.ts";
import { ConfigDirectory, minimal } from "./config-directory.ts";

/** Loads the minimal configuration with lines added, as the member ha1. */
function load(more = "", files: Readonly<Record<string, string | Uint8Array>> = {}, node = "ha1") {
  using directory = new ConfigDirectory(files);
  return { ...loadConfig(directory.write("anyhome.yaml", minimal + more), { node }), directory: directory.path };
}

test("relaying is addressed as said for the pair, else as said for all, whoever of the two is asked", () => {
  const more = "relay: { addressing: l2, pairs: [{ members: [ha2, ha1], addressing: l3 }] }\n";
  const addressing = (text: string, node: string) => Object.fromEntries(load(text, {}, node).config.relay.addressing);
  expect(addressing("relay: { addressing: l2 }\n", "ha1")).toEqual({ ha2: "l2" });
  expect(addressing(more, "ha1")).toEqual({ ha2: "l3" });
  expect(addressing(more, "ha2")).toEqual({ ha1: "l3" });
});

test("what is not said has its default", () => {
  const { config, warnings } = load();
  expect(warnings).toEqual([]);
  expect(config).toEqual({
    cluster: "lab",
    node: "ha1",
    members: [
      {
        id: "ha1",
        address: ipv4("10.1.0.11"),
        port: 4340,
        weight: 100,
        pool: [],
        listen: { address: ipv4("10.64.0.1"), port: 434 },
        bgp: undefined,
        bfd: undefined,
      },
      expect.objectContaining({ id: "ha2", address: ipv4("10.1.0.12") }),
    ],
    self: config.members[0],
    virtualAddress: ipv4("10.64.0.1"),
    virtualNetwork: { address: ipv4("10.64.0.0"), length: 12 },
    announce: [{ address: ipv4("10.64.0.0"), length: 12 }],
    manageAddress: true,
    secret: new TextEncoder().encode("0123456789abcdef0123456789abcdef"),
    dataDirectory: "/var/lib/anyhome",
    controlSocket: "/run/anyhome/control.sock",
    timers: { heartbeatIntervalMs: 200, peerTimeoutMs: 800, maximumClockSkewMs: 30_000, relayTimeoutMs: 2000 },
    relay: { addressing: new Map([["ha2", "l3"]]), hopLimit: 3, maximumPending: 16_384 },
    placement: { loadFactor: 1.25 },
    replication: {
      copies: 2,
      acknowledgements: 1,
      degradedLifetimeSeconds: 300,
      digestIntervalMs: 10_000,
      designated: new Map([
        ["ha1", []],
        ["ha2", []],
      ]),
    },
    registration: {
      virtualAddress: ipv4("10.64.0.1"),
      homeNetworks: [{ address: ipv4("10.64.0.0"), length: 12 }],
      maximumLifetimeSeconds: 1800,
      maximumSimultaneousBindings: 4,
      minimalEncapsulation: true,
      greEncapsulation: true,
      reverseTunneling: "allowed",
      prohibitedCareOfNetworks: [],
      authenticationFailureRepliesPerSecond: 100,
      pool: [],
      otherPools: [],
      poolStickinessMs: 86_400_000,
      maximumMobilesPerAssociation: 1_000_000,
      maximumClockSkewMs: 30_000,
    },
    mobileAssociations: [
      {
        spi: 256,
        algorithm: "hmac-md5",
        key: new TextEncoder().encode("1234567812345678"),
        replay: { style: "timestamps", windowMs: 7000 },
        mobiles: { by: "home-addresses", range: { first: ipv4("10.64.1.0"), last: ipv4("10.79.255.254") } },
      },
    ],
    foreignAgentAssociations: [],
    advertiser: { type: "none" },
    dataPlane: { type: "none" },
    bfd: { transmitIntervalMs: 300, receiveIntervalMs: 300, detectMultiplier: 3, heartbeatTimeoutMs: 800 },
    health: {
      startDelayMs: 1000,
      holdDownMs: 3000,
      damping: { halfLifeMs: 60_000, suppress: 3, reuse: 1, maximumMs: 240_000 },
      rise: 3,
      fall: 3,
      eventLoop: { degraded: 500, fail: 5000 },
      storeLatency: { degraded: 500, fail: 2000 },
      freeDisk: { degraded: 256 * 2 ** 20, fail: 32 * 2 ** 20 },
      receiveOverflows: { degraded: 1000, fail: 1_000_000_000 },
      clock: { degraded: 1000, fail: 5000 },
      unheardAfterMs: 10_000,
      exec: [],
      low: { communities: [[65535, 0]], med: undefined, asPathPrepend: 0 },
      lowest: { communities: [[65535, 0]], med: 4_294_967_295, asPathPrepend: 6 },
    },
    log: { level: "info" },
  });
});

test("the pools of the other members are known as theirs", () => {
  using directory = new ConfigDirectory();
  const yaml = minimal
    .replace("10.1.0.11", "10.1.0.11\n    pool: [10.70.0.0/24, 10.71.0.1-10.71.0.9]")
    .replace("10.1.0.12", "10.1.0.12\n    pool: [10.72.0.0/30]");
  const { registration } = loadConfig(directory.write("anyhome.yaml", yaml), { node: "ha2" }).config;
  expect(registration.pool).toEqual([{ first: ipv4("10.72.0.0"), last: ipv4("10.72.0.3") }]);
  expect(registration.otherPools).toEqual([
    { first: ipv4("10.70.0.0"), last: ipv4("10.70.0.255") },
    { first: ipv4("10.71.0.1"), last: ipv4("10.71.0.9") },
  ]);
});

test("BFD is spoken from the member's address unless another is named", () => {
  using directory = new ConfigDirectory();
  const yaml = minimal
    .replace("10.1.0.11", "10.1.0.11\n    bfd: { neighbors: [10.1.0.1, 10.1.0.2] }")
    .replace("10.1.0.12", "10.1.0.12\n    bfd: { neighbors: [10.1.0.1], local-address: 10.1.9.12 }");
  const file = directory.write("anyhome.yaml", yaml);
  expect(loadConfig(file, { node: "ha1" }).config.self.bfd).toEqual({
    localAddress: ipv4("10.1.0.11"),
    neighbors: [ipv4("10.1.0.1"), ipv4("10.1.0.2")],
  });
  expect(loadConfig(file, { node: "ha2" }).config.self.bfd?.localAddress).toBe(ipv4("10.1.9.12"));
});

test("whoever refuses while degraded grants nothing then, and designated backups are known per owner", () => {
  using directory = new ConfigDirectory();
  const yaml = `${minimal.replace("10.1.0.11", "10.1.0.11\n    backups: [ha2]")}replication: { copies: 1, degraded: refuse }\n`;
  const { replication } = loadConfig(directory.write("anyhome.yaml", yaml), { node: "ha2" }).config;
  expect(replication).toMatchObject({ copies: 1, degradedLifetimeSeconds: undefined });
  expect([...replication.designated]).toEqual([
    ["ha1", ["ha2"]],
    ["ha2", []],
  ]);
});

test("checks of the operator are as they are written, limits can be switched off", () => {
  const { health } = load(
    'health: { exec: [{ name: uplink, command: [ping, "192.0.2.1"], on-failure: degrade }], clock: { degraded: infinite, fail: infinite } }',
  ).config;
  expect(health.exec).toEqual([
    {
      name: "uplink",
      command: ["ping", "192.0.2.1"],
      intervalMs: 10_000,
      timeoutMs: 5000,
      rise: 2,
      fall: 3,
      onFailure: "degrade",
    },
  ]);
  expect(health.clock).toEqual({ degraded: Infinity, fail: Infinity });
});

test("an infinite lifetime is the value of RFC 5944 3.3", () => {
  const lifetime = (text: string) =>
    load(`registration: { maximum-lifetime: ${text} }`).config.registration.maximumLifetimeSeconds;
  expect(lifetime("infinite")).toBe(65_535);
  expect(lifetime("65534s")).toBe(65_534);
  expect(lifetime("1.5h")).toBe(5400);
});

test("durations are whole milliseconds, also where floats are a little off", () => {
  expect(load("timers: { relay-timeout: 1.005s }").config.timers.relayTimeoutMs).toBe(1005);
});

test("BGP of a member", () => {
  using directory = new ConfigDirectory();
  const bgp =
    "bgp: { as: 4200000000, router-id: 10.9.9.9, neighbors: [{ address: 10.1.0.1, as: 65001 }, { address: 10.1.0.2, as: 65002, communities: [65011:7], large-communities: [65011:1:4294967295], med: 4294967295, as-path-prepend: 2 }] }";
  const yaml = `${minimal.replace("10.1.0.11", `10.1.0.11\n    ${bgp}`)}advertiser: { type: exabgp, hold-time: 0s }\n`;
  const { config } = loadConfig(directory.write("anyhome.yaml", yaml), { node: "ha1" });
  expect(config.self.bgp).toEqual({
    as: 4_200_000_000,
    routerId: ipv4("10.9.9.9"),
    localAddress: ipv4("10.1.0.11"),
    neighbors: [
      {
        address: ipv4("10.1.0.1"),
        as: 65_001,
        communities: [],
        largeCommunities: [],
        med: undefined,
        asPathPrepend: 0,
      },
      {
        address: ipv4("10.1.0.2"),
        as: 65_002,
        communities: [[65_011, 7]],
        largeCommunities: [[65_011, 1, 4_294_967_295]],
        med: 4_294_967_295,
        asPathPrepend: 2,
      },
    ],
  });
  expect(config.advertiser).toEqual({
    type: "exabgp",
    runtimeDirectory: "/run/anyhome/exabgp-ha1",
    sidecar: undefined,
    holdTimeSeconds: 0,
    heartbeatTimeoutMs: 1000,
  });
});

test("ExaBGP as a sidecar", () => {
  using directory = new ConfigDirectory();
  const bgp = "bgp: { as: 65011, router-id: 10.9.9.9, neighbors: [{ address: 10.1.0.1, as: 65001 }] }";
  const sidecar = 'mode: sidecar, runtime-directory: "shared/{node}", group: bgp';
  const yaml = `${minimal.replace("10.1.0.11", `10.1.0.11\n    ${bgp}`)}advertiser: { type: exabgp, ${sidecar} }\n`;
  const { config } = loadConfig(directory.write("anyhome.yaml", yaml), { node: "ha1" });
  expect(config.advertiser).toMatchObject({
    runtimeDirectory: join(directory.path, "shared/ha1"),
    sidecar: { group: "bgp" },
  });
});

test("what is announced: the network first, the address as a /32, other prefixes", () => {
  const { config } = load("announce: [192.0.2.0/24, address, network]\n");
  expect(config.announce.map(formatPrefix)).toEqual(["10.64.0.0/12", "192.0.2.0/24", "10.64.0.1/32"]);
});

test("paths are relative to the file, and may have the node's id", () => {
  const { config, directory } = load("data-directory: data/{node}\ncontrol-socket: /run/{node}.sock\n");
  expect(config.dataDirectory).toBe(join(directory, "data/ha1"));
  expect(config.controlSocket).toBe("/run/ha1.sock");
});

test("the node comes from the override, else from the file, and must be known to run", () => {
  using directory = new ConfigDirectory();
  const file = directory.write("anyhome.yaml", `node: ha2\n${minimal}`);
  expect(loadConfig(file).config.self.id).toBe("ha2");
  expect(loadConfig(file, { node: "ha1" }).config.self.id).toBe("ha1");
  const nobody = directory.write("nobody.yaml", minimal);
  expect(() => loadConfig(nobody)).toThrow("--node, ANYHOME_NODE or the key node must say which member this is");
});

test("all errors and warnings are in the error", () => {
  using directory = new ConfigDirectory();
  const file = directory.write("anyhome.yaml", `${minimal.replace("spi: 256", "spi: 1")}relays: {}\n`, 0o644);
  const error = (() => {
    try {
      return loadConfig(file);
    } catch (error) {
      return error;
    }
  })();
  expect(error).toBeInstanceOf(ConfigError);
  expect((error as ConfigError).problems.map(({ path }) => path)).toEqual([
    "",
    "security-associations.mobiles[0].spi",
    "relays",
  ]);
});

test("keys are the same bytes in all their forms", () => {
  const entries = [
    '{ nai: text@b, spi: 256, key: "schlüssel 12345678" }',
    "{ nai: hex@b, spi: 256, key-hex: 73 }",
    '{ nai: hex@b, spi: 257, key-hex: "7363686cC3bc7373656c203132333435363738" }',
    "{ nai: file@b, spi: 256, key-file: text.key }",
    "{ nai: file@b, spi: 257, key-file: windows.key }",
    "{ nai: file@b, spi: 258, key-file: hex.key }",
  ];
  const text = "schlüssel 12345678";
  const files = {
    "text.key": `${text}\n`,
    "windows.key": `${text}\r\n`,
    "hex.key": "hex:7363686c c3bc7373 656c2031\n32333435363738\n",
  };
  const yaml = entries.map((entry) => `    - ${entry.replace("key-hex: 73 ", 'key-hex: "73" ')}\n`).join("");
  const keys = load(yaml, files).config.mobileAssociations.map(({ key }) => new TextDecoder().decode(key));
  expect(keys.slice(1)).toEqual([text, "s", text, text, text, text]);
});

test("associations of the additional file follow those of the main one", () => {
  const file =
    "mobiles:\n  - { realm: example.net, spi: 300, key-file: a.key, replay: nonces }\nforeign-agents:\n  - { address: 192.0.2.7, spi: 1000, key-file: a.key }\n  - { network: 203.0.113.0/24, spi: 1000, key-file: a.key }\n";
  const { config } = load("security-associations-file: sub/more.yaml\n", {
    "sub/more.yaml": file,
    "sub/a.key": "0123456789abcdef",
  });
  expect(config.mobileAssociations.map(({ spi, replay }) => [spi, replay.style])).toEqual([
    [256, "timestamps"],
    [300, "nonces"],
  ]);
  expect(config.foreignAgentAssociations.map(({ foreignAgents }) => foreignAgents)).toEqual([
    { address: ipv4("192.0.2.7"), length: 32 },
    { address: ipv4("203.0.113.0"), length: 24 },
  ]);
});

test("the effective configuration has all defaults and no key, and means the same", () => {
  using directory = new ConfigDirectory();
  const more =
    '    - { nai: a@b, spi: 300, key-hex: "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a" }\n  foreign-agents:\n    - { address: 192.0.2.7, spi: 1000, key: "a key of 16 bytes" }\n';
  const file = directory.write("anyhome.yaml", minimal + more);
  const shown = stringify(effectiveConfig(file, { node: "ha1" }));
  expect(shown).not.toMatch(/12345678|5a5a|a key of/);
  expect(shown).toContain("heartbeat-interval: 200ms");
  const again = directory.write("again.yaml", shown.replaceAll("key-hex: (redacted)", "key: (redacted)"));
  const withoutKeys = (path: string) => {
    const { config } = loadConfig(path, { node: "ha1" });
    const anonymous = (association: object) => ({ ...association, key: undefined });
    return {
      ...config,
      mobileAssociations: config.mobileAssociations.map(anonymous),
      foreignAgentAssociations: config.foreignAgentAssociations.map(anonymous),
    };
  };
  expect(withoutKeys(again)).toEqual(withoutKeys(file));
});
