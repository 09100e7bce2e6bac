import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { COMPOSE_FILE, labFiles } from "../../src/lab/compose/lab-files.ts";
import { namespacePlan } from "../../src/lab/namespaces/namespace-plan.ts";
import { TOPOLOGIES } from "../../src/lab/plan/topologies.ts";
import { nodesOf } from "../../src/lab/plan/topology.ts";

/** Version 2 is a plugin of Docker's command line, version 1 a program of its own. */
const installed: (readonly [string, ...string[]])[] = [];
for (const way of [["docker", "compose"], ["docker-compose"]] as const) {
  const [file, ...words] = way;
  if (!(await execa(file, [...words, "version"], { reject: false })).failed) installed.push(way);
}

interface Service {
  readonly networks?: Record<string, { readonly ipv4_address: string }>;
  readonly cap_add: readonly string[];
  readonly cap_drop: readonly string[];
  readonly read_only: boolean;
  readonly environment?: Record<string, string>;
}

describe.each(Object.values(TOPOLOGIES))("compose/$name", (topology) => {
  const directory = fileURLToPath(new URL(`../../compose/${topology.name}`, import.meta.url));
  const files = labFiles(topology);
  const services: Record<string, Service> = parse(files.get(COMPOSE_FILE) ?? "").services;

  test.each([...files.keys()])("has the %s that the topology makes", async (path) => {
    await expect(files.get(path)).toMatchFileSnapshot(join(directory, path));
  });

  test("has nothing else", () => {
    const found = readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
      .filter((path) => !path.startsWith("secrets/"));
    expect(found.sort()).toEqual([...files.keys()].sort());
  });

  test("has the nodes, segments, addresses and ways out of the lab in network namespaces", () => {
    for (const { node, commands } of namespacePlan(topology, (name) => name).nodes) {
      const addresses = commands.flatMap((command) => /^address add (\S+)\//.exec(command)?.[1] ?? []);
      const attachments = services[node.name]?.networks ?? {};
      expect(Object.values(attachments).map((it) => it.ipv4_address)).toEqual(addresses);
      expect(Object.keys(attachments)).toEqual(node.interfaces.map(({ network }) => network));
      const gateway = commands.flatMap((command) => /^route add default via (\S+)$/.exec(command)?.[1] ?? []);
      expect([services[node.name]?.environment?.LAB_GATEWAY ?? []].flat()).toEqual(gateway);
    }
  });

  test("lets no container write to its root file system, or keep a capability that is not named", () => {
    for (const { read_only, cap_drop, cap_add } of Object.values(services)) {
      expect([read_only, cap_drop]).toEqual([true, ["ALL"]]);
      expect(cap_add).not.toContain("ALL");
    }
    for (const { name } of nodesOf(topology, "home-agent")) expect(services[name]?.cap_add).not.toContain("SYS_ADMIN");
  });

  test.runIf(process.env.CI)("can be tried on docker-compose", () => {
    expect(installed.length).toBeGreaterThan(0);
  });

  for (const [file, ...words] of installed)
    test(`is accepted by ${[file, ...words].join(" ")}`, async () => {
      const { stdout } = await execa(file, [...words, "--file", join(directory, COMPOSE_FILE), "config"]);
      const started = topology.nodes.map(({ name }) => name);
      // The load generator isn't started with the others: version 2 leaves it out, version 1 doesn't.
      expect(Object.keys(parse(stdout).services)).toEqual(expect.arrayContaining(started));
    });
});
