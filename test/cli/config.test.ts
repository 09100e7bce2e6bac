import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { ConfigDirectory, minimal } from "../config/config-directory.ts";
import { anyhome } from "./anyhome.ts";

const broken = minimal.replace("spi: 256", "spi: 1").replace("cluster: lab", "clutser: lab");

describe.concurrent("config check", () => {
  test("of a good file says so", async () => {
    using directory = new ConfigDirectory();
    const file = directory.write("anyhome.yaml", minimal);
    expect(await anyhome(["config", "check", file])).toEqual({
      exitCode: 0,
      stdout: `${file} can be used\n`,
      stderr: "",
    });
  });

  test("of a file with warnings shows them on stderr", async () => {
    using directory = new ConfigDirectory();
    const file = directory.write("anyhome.yaml", minimal, 0o644);
    const { exitCode, stdout, stderr } = await anyhome(["config", "check", "-c", file]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: `${file} can be used; 1 warning\n` });
    expect(stderr).toMatch(new RegExp(`^${file}:11:3: warning: security-associations: every user can read`));
  });

  test("of a bad file has a line for every problem and exits with 2", async () => {
    using directory = new ConfigDirectory();
    const file = directory.write("anyhome.yaml", broken);
    const { exitCode, stdout, stderr } = await anyhome(["config", "check"], { ANYHOME_CONFIG: file });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr.split("\n")).toEqual([
      `${file}:1:1: error: clutser: unknown key; did you mean "cluster"?`,
      `${file}:1:1: error: cluster: is missing; expected a cluster name such as lab`,
      `${file}:12:46: error: security-associations.mobiles[0].spi: expected a whole number from 256 to 4294967295, found 1`,
      `anyhome: ${file} can't be used: 3 errors`,
      "",
    ]);
  });

  test("tells scripts the same", async () => {
    using directory = new ConfigDirectory();
    const file = directory.write("anyhome.yaml", broken);
    const { exitCode, stdout } = await anyhome(["config", "check", file, "-o", "json"]);
    expect(exitCode).toBe(2);
    const { valid, problems } = JSON.parse(stdout);
    expect(valid).toBe(false);
    expect(problems).toContainEqual({
      severity: "error",
      file,
      line: 12,
      column: 46,
      path: "security-associations.mobiles[0].spi",
      message: "expected a whole number from 256 to 4294967295, found 1",
    });
  });

  test("looks from the node's point of view, by option before environment", async () => {
    using directory = new ConfigDirectory();
    const file = directory.write("anyhome.yaml", minimal);
    const environment = { ANYHOME_CONFIG: file, ANYHOME_NODE: "ha9" };
    expect((await anyhome(["config", "check"], environment)).exitCode).toBe(2);
    expect((await anyhome(["config", "check", "--node", "ha2"], environment)).exitCode).toBe(0);
  });

  test("of a missing file exits with 2", async () => {
    const { exitCode, stderr } = await anyhome(["config", "check", "/nonexistent.yaml"]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("/nonexistent.yaml: error: cannot be read: ENOENT");
  });
});

describe.concurrent("config show", () => {
  test("prints the effective configuration as YAML, JSON, or a table", async () => {
    using directory = new ConfigDirectory();
    const file = directory.write("anyhome.yaml", minimal);
    const yaml = await anyhome(["config", "show", file, "--node", "ha1"]);
    const json = await anyhome(["config", "show", file, "--node", "ha1", "-o", "json"]);
    const table = await anyhome(["config", "show", file, "--node", "ha1", "-o", "table"]);
    expect(parse(yaml.stdout)).toMatchObject({ node: "ha1", timers: { "peer-timeout": "800ms" } });
    expect(JSON.parse(json.stdout)).toEqual(parse(yaml.stdout));
    expect(table.stdout).toMatch(/^timers\.peer-timeout +800ms$/m);
    for (const { stdout } of [yaml, json, table]) expect(stdout).not.toContain("12345678");
  });

  test("of a bad file shows what is wrong instead", async () => {
    using directory = new ConfigDirectory();
    const { exitCode, stdout, stderr } = await anyhome(["config", "show", directory.write("anyhome.yaml", broken)]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toContain("clutser: unknown key");
  });
});

describe.concurrent("config schema", () => {
  test("is JSON Schema of what may be written", async () => {
    const { exitCode, stdout } = await anyhome(["config", "schema"]);
    expect(exitCode).toBe(0);
    const schema = JSON.parse(stdout);
    expect(schema.$schema).toBe("https://json-schema.org/draft/2020-12/schema");
    expect(schema.required).toEqual(["cluster", "secret-file", "virtual-network", "virtual-address", "members"]);
    expect(schema.additionalProperties).toBe(false);
    expect(schema.properties.timers.properties["peer-timeout"]).toMatchObject({ type: "string", default: "800ms" });
  });

  test("as a table is the list of keys", async () => {
    const { stdout } = await anyhome(["config", "schema", "-o", "table"]);
    expect(stdout).toMatch(/^members\[\]\.bgp\.as +the number of an autonomous system, from 1 to 4294967294/m);
  });
});

describe.concurrent("run", () => {
  test("does not start with a bad configuration, and exits with 2", async () => {
    using directory = new ConfigDirectory();
    const file = directory.write("anyhome.yaml", broken);
    const { exitCode, stdout, stderr } = await anyhome(["run", "-c", file, "--node", "ha1"]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toContain(`${file}:12:46: error: security-associations.mobiles[0].spi`);
  });
});

describe.concurrent("exabgp", () => {
  const bgp = "bgp: { as: 65011, router-id: 10.9.9.9, neighbors: [{ address: 10.1.0.1, as: 65001, med: 7 }] }";
  const yaml = (mode: string) =>
    `${minimal.replace("10.1.0.11", `10.1.0.11\n    ${bgp}\n    bfd: { neighbors: [10.1.0.1] }`)}advertiser: { type: exabgp, mode: ${mode}, runtime-directory: /run/shared }\n`;

  test("prints the files of a sidecar", async () => {
    using directory = new ConfigDirectory();
    const file = directory.write("anyhome.yaml", yaml("sidecar"));
    const config = await anyhome(["exabgp", "config", "-c", file, "--node", "ha1"]);
    expect(config).toMatchObject({ exitCode: 0, stderr: "" });
    expect(config.stdout).toContain('"/run/shared/anyhome_exabgp.py" "--socket" "/run/shared/helper.sock"');
    expect(config.stdout).toContain("\nneighbor 10.1.0.1 {\n");
    const environment = await anyhome(["exabgp", "environment", "-c", file, "--node", "ha1"]);
    expect(environment.stdout).toContain("[exabgp.api]\nack = true\n");
  });

  test("of a daemon that starts its own are none to be printed", async () => {
    using directory = new ConfigDirectory();
    const file = directory.write("anyhome.yaml", yaml("managed"));
    const { exitCode, stdout, stderr } = await anyhome(["exabgp", "config", "-c", file, "--node", "ha1"]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toContain("the advertiser isn't an ExaBGP with mode: sidecar");
  });
});
