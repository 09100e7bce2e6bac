import { expect, test } from "vitest";
import { compareConfigs } from "../../src/config/changes.ts";
import { loadConfig } from "../../src/config/load.ts";
import { ConfigDirectory } from "./config-directory.ts";

const FILE = `
cluster: lab
secret-file: cluster.secret
virtual-network: 10.64.0.0/12
virtual-address: 10.64.0.1
members:
  - { id: ha1, address: 10.1.0.11, pool: [10.79.1.0-10.79.1.255] }
  - { id: ha2, address: 10.1.0.12 }
security-associations:
  mobiles: [{ realm: example.com, spi: 256, key: "1234567812345678" }]
`;

/** What a daemon that is ha1 finds changed; \`replace\`: pairs of texts. */
function changes(...replace: readonly (readonly [string, string])[]) {
  using directory = new ConfigDirectory();
  const written = (yaml: string) => loadConfig(directory.write("anyhome.yaml", yaml), { node: "ha1" }).written;
  const before = written(FILE);
  return compareConfigs(before, written(replace.reduce((yaml, [from, to]) => yaml.replace(from, to), FILE)), "ha1");
}

test("the same configuration in other words has no changes", () => {
  expect(changes(["cluster: lab", "cluster: lab\ntimers: { peer-timeout: 800ms }"])).toEqual([]);
});

test("members, their weights and addresses change at once, each by its path", () => {
  const added = "  - { id: ha2, address: 10.1.0.22, weight: 50 }\n  - { id: ha3, address: 10.1.0.13 }";
  const found = changes(["  - { id: ha2, address: 10.1.0.12 }", added]);
  expect(found).toContainEqual({ path: "members[ha2].address", from: "10.1.0.12", to: "10.1.0.22", live: true });
  expect(found).toContainEqual({ path: "members[ha2].weight", from: "100", to: "50", live: true });
  expect(found).toContainEqual({ path: "members[ha3].address", from: null, to: "10.1.0.13", live: true });
  expect(found.every(({ live }) => live)).toBe(true);
});

test.each([
  ["weight", "address: 10.1.0.11, weight: 7", true],
  ["address", "address: 10.1.0.99", false],
  ["port", "address: 10.1.0.11, port: 4444", false],
])("of the member itself, %s changes at once: %s, %s", (key, written, live) => {
  expect(changes(["address: 10.1.0.11", written])).toMatchObject([{ path: `members[ha1].${key}`, live }]);
});

test.each([
  ["timers.peer-timeout", "timers: { peer-timeout: 1s }", true],
  ["timers.relay-timeout", "timers: { relay-timeout: 1s }", false],
  ["replication.copies", "replication: { copies: 1 }", true],
  ["registration.maximum-lifetime", "registration: { maximum-lifetime: 10m }", true],
  ["log.level", "log: { level: debug }", true],
  ["manage-address", "manage-address: false", false],
  ["data-directory", "data-directory: /elsewhere", false],
])("%s changes by: %s, at once: %s", (path, written, live) => {
  expect(changes(["cluster: lab", `cluster: lab\n${written}`])).toMatchObject([{ path, live }]);
});

test("the cluster's name needs a restart", () => {
  expect(changes(["cluster: lab", "cluster: other"])).toEqual([
    { path: "cluster", from: "lab", to: "other", live: false },
  ]);
});

test("keys are compared, and never shown", () => {
  const found = changes(["1234567812345678", "8765432187654321"]);
  expect(found).toMatchObject([{ path: "security-associations", live: true }]);
  expect(JSON.stringify(found)).not.toMatch(/87654321|12345678/);
});
