import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { interfaceFor } from "../../src/adapters/advertiser/ospf/leases.ts";
import { openSqliteStore } from "../../src/adapters/store/sqlite-store.ts";
import { loadConfig } from "../../src/config/load.ts";
import { ConfigDirectory, minimal } from "./config-directory.ts";

const speaking = minimal.replaceAll(
  /(address: )(10\.1\.0\.\d+)/g,
  "$1$2\n    bgp: { as: 65011, router-id: $2, neighbors: [{ address: 10.1.0.1, as: 65001 }] }",
);

/** A path of exactly so many bytes, in directories whose names are short enough. */
function pathOf(bytes: number, root = "/tmp"): string {
  let path = root;
  while (bytes - path.length > 250) path = join(path, "x".repeat(200));
  return join(path, "y".repeat(bytes - path.length - 1));
}

const EXABGP = "advertiser: { type: exabgp, hold-time: 9s, runtime-directory: PATH }\n";
const OSPF = "advertiser: { type: ospf, vty-directory: PATH }\n";

describe("a path is refused by the check where the start would refuse what it derives from it", () => {
  test.each([
    ["the control socket", "control-socket: PATH\n", 107, "control-socket"],
    ["the socket of ExaBGP's helper", EXABGP, 107 - "/helper.sock".length, "advertiser.runtime-directory"],
    [
      "the socket of ExaBGP's helper, beside the control socket",
      "control-socket: PATH/s\nadvertiser: { type: exabgp }\n",
      107 - "/exabgp-ha1/helper.sock".length,
      "control-socket",
    ],
    ["the socket of ospfd", OSPF, 107 - "/ospfd.vty".length, "advertiser.vty-directory"],
    [
      "the databases of the store",
      "data-directory: PATH\n",
      512 - "/data/tables.sqlite-journal".length,
      "data-directory",
    ],
  ])("%s", (_what, more, longest, key) => {
    using directory = new ConfigDirectory();
    const errors = (bytes: number) =>
      directory
        .problems(speaking + more.replace("PATH", pathOf(bytes)))
        .filter((problem) => problem.includes(": error: "));
    expect(errors(longest)).toEqual([]);
    expect(errors(longest + 1)).toEqual([
      expect.stringMatching(
        new RegExp(`^anyhome\\.yaml:1[56]:\\d+: error: ${key}: /tmp/.* is too long for the path of a`),
      ),
    ]);
  });

  test.each([
    ["a name that is too long", `data-directory: /${"x".repeat(256)}\n`, "data-directory: .* has a name of 256 bytes"],
    [
      "a quote, for ExaBGP",
      EXABGP.replace("PATH", '"/run/it\'s"'),
      "runtime-directory: .*ExaBGP's configuration can't",
    ],
    [
      "a quote, for ExaBGP, beside the control socket",
      'control-socket: "/run/it\'s/control.sock"\nadvertiser: { type: exabgp }\n',
      "control-socket: .*ExaBGP's configuration can't",
    ],
    [
      "one file for two purposes",
      `${EXABGP.replace("PATH", "/run/a")}control-socket: /run/a/helper.sock\n`,
      "runtime-directory: /run/a/helper.sock is also what control-socket leads to",
    ],
    [
      "one file for two purposes, by another name",
      "data-directory: /run/a\ncontrol-socket: /run/b/../a/pid\n",
      "control-socket: /run/a/pid is also what data-directory leads to",
    ],
  ])("%s", (_what, more, problem) => {
    using directory = new ConfigDirectory();
    const errors = directory.problems(speaking + more, "ha1").filter((it) => it.includes(": error: "));
    expect(errors).toEqual([expect.stringMatching(problem)]);
  });

  test("for the longest of all members' names, unless it is known who this is", () => {
    using directory = new ConfigDirectory();
    const long = "h".repeat(60);
    const yaml = `${minimal.replace("id: ha2", `id: ${long}`)}control-socket: ${pathOf(60)}/{node}.sock\n`;
    expect(directory.problems(yaml)).toEqual([expect.stringContaining(`${long}.sock is too long`)]);
    expect(directory.problems(yaml, long)).toHaveLength(1);
    expect(directory.problems(yaml, "ha1")).toEqual([]);
  });
});

test("the check draws the line for a store where SQLite does", async () => {
  using directory = new ConfigDirectory();
  const opens = async (bytes: number) => {
    const path = pathOf(bytes, directory.path);
    mkdirSync(path, { recursive: true });
    const listener = { durable: () => {}, failed: () => {}, recovered: () => {} };
    return openSqliteStore({ directory: path, cluster: "lab", node: "ha1", listener }).then(
      async (store) => {
        await store.close();
        return true;
      },
      () => false,
    );
  };
  const longest = 512 - "/data/tables.sqlite-journal".length;
  expect(await opens(longest)).toBe(true);
  expect(await opens(longest + 1)).toBe(false);
});

test("what OSPF calls its interfaces has room in the kernel, and is a name there", () => {
  using directory = new ConfigDirectory();
  const errors = (name: string) => directory.problems(`${minimal}advertiser: { type: ospf, interface: ${name} }\n`);
  for (const name of ["x".repeat(8), "a.b", "_"]) {
    expect(errors(name)).toEqual([]);
    expect(interfaceFor(name, "lowest").length).toBeLessThan(16);
  }
  for (const name of ["x".repeat(9), "lo", ".", "..", "a/b", "a:b", "''"]) expect(errors(name), name).toHaveLength(1);
});

test("the start takes the paths that the check has looked at", () => {
  using directory = new ConfigDirectory();
  const more = "data-directory: data/{node}\ncontrol-socket: run/{node}.sock\nadvertiser: { type: exabgp }\n";
  const { config } = loadConfig(directory.write("anyhome.yaml", speaking + more), { node: "ha2" });
  expect(config).toMatchObject({
    dataDirectory: join(directory.path, "data/ha2"),
    controlSocket: join(directory.path, "run/ha2.sock"),
    advertiser: { runtimeDirectory: join(directory.path, "run/exabgp-ha2") },
  });
});
