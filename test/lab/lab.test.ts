import { existsSync } from "node:fs";
import { execa } from "execa";
import { afterEach, describe, expect, test } from "vitest";
import { LabError } from "../../src/lab/lab-error.ts";
import { Lab } from "../../src/lab/namespaces/lab.ts";
import { namespaces } from "../../src/lab/namespaces/namespace.ts";
import type { NodeStatus } from "../../src/lab/operations.ts";
import { ANYHOME_MAIN, LabPlace, labNames } from "../../src/lab/place.ts";
import { LAB_TOPOLOGY } from "../../src/lab/plan/topology.ts";
import { installedNextHops } from "./frr-tables.ts";
import { newLabName, waitFor, whereLabsRun, withLab } from "./harness.ts";

withLab("a lab that is up", (lab) => {
  const cli = (args: string[], input = "") =>
    execa(process.execPath, [ANYHOME_MAIN, "lab", ...args], { reject: false, input });
  const name = ["--name", lab.place.name];

  test("has every home agent ready, and routes from the far side to all of them", async () => {
    const status = await lab.status();
    expect(status.filter(({ role }) => role === "home-agent").map(({ node, ready }) => [node, ready])).toEqual([
      ["ha1", true],
      ["ha2", true],
      ["ha3", true],
    ]);
    expect(await installedNextHops(lab, "r1")).toEqual(["10.1.0.11", "10.1.0.12", "10.1.0.13"]);
    expect(await installedNextHops(lab, "r2")).toEqual(["10.1.1.1"]);
  });

  test("shows its nodes and processes to scripts and to people", async () => {
    const json = await cli(["status", ...name, "-o", "json"]);
    const status: NodeStatus[] = JSON.parse(json.stdout);
    expect(status.map(({ node, processes }) => [node, processes.map(({ kind }) => kind).sort()])).toEqual([
      ["ha1", ["daemon", "exabgp", "helper"]],
      ["ha2", ["daemon", "exabgp", "helper"]],
      ["ha3", ["daemon", "exabgp", "helper"]],
      ["r1", ["bfdd", "bgpd", "zebra"]],
      ["r2", ["bfdd", "bgpd", "zebra"]],
      ["fa1", []],
      ["fa2", []],
      ["mn1", []],
      ["mn2", []],
      ["cn1", []],
    ]);
    expect((await cli(["status", ...name])).stdout).toMatch(/^ha1 +10\.1\.0\.11 +ready +daemon \d+/m);
    expect((await cli(["list"])).stdout.split("\n")).toContain(lab.place.name);
  });

  test("runs commands inside a node with our stdin, and gives back their output and exit code", async () => {
    const script = 'read line; echo "$line from $(ip -4 -brief address show scope global)"; exit 7';
    const result = await cli(["exec", ...name, "fa1", "--", "sh", "-c", script], "hello\n");
    expect(result.stdout).toMatch(/^hello from r2@\S+ +UP +10\.1\.11\.2\/24/);
    expect(result.exitCode).toBe(7);
  });

  test("gives a command its own options, with and without a separator", async () => {
    expect((await cli(["exec", ...name, "fa1", "echo", "--name", "x", "-o"])).stdout).toBe("--name x -o");
    expect((await cli(["exec", ...name, "fa1", "--", "echo", "--name", "x"])).stdout).toBe("--name x");
  });

  test("tells which signal ended a command, as a shell would", async () => {
    expect((await cli(["exec", ...name, "fa1", "--", "sh", "-c", "kill -TERM $$"])).exitCode).toBe(128 + 15);
  });

  test.each(["ha1", "ha2", "ha3"])("makes plain anyhome inside %s speak to that node's daemon", async (node) => {
    const { stdout } = await lab.run(node, ["anyhome", "status", "-o", "json"]);
    expect(JSON.parse(stdout).node).toBe(node);
  });

  test("makes plain vtysh inside a router speak to that router", async () => {
    const { stdout } = await lab.run("r1", ["vtysh", "-c", "show bgp ipv4 unicast 10.64.0.0/12 json"]);
    const paths: { aspath: { string: string }; multipath?: boolean }[] = JSON.parse(stdout).paths;
    expect(paths.map((path) => [path.aspath.string, path.multipath]).sort()).toEqual([
      ["65011", true],
      ["65012", true],
      ["65013", true],
    ]);
    expect((await lab.run("r2", ["vtysh", "-c", "show running-config"])).stdout).toContain("hostname r2");
  });

  test("tells a mobile behind a foreign agent what it needs to register", async () => {
    const { stdout } = await lab.run("fa2", ["env"]);
    expect(stdout.split("\n")).toEqual(
      expect.arrayContaining(["ANYHOME_HOME_AGENT=10.64.0.1", "ANYHOME_MN_SPI=256", "ANYHOME_MN_KEY=1234567812345678"]),
    );
  });

  test("names the nodes there are when asked for one that is not", async () => {
    const { exitCode, stderr } = await cli(["exec", ...name, "ha9", "--", "true"]);
    expect([exitCode, stderr]).toEqual([
      1,
      expect.stringContaining("no node ha9 in the lab; there are ha1, ha2, ha3, r1"),
    ]);
  });

  test("keeps its name to itself", async () => {
    const { exitCode, stderr } = await cli(["up", ...name]);
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining(`a lab named ${lab.place.name} is there already`)]);
    expect(await lab.exists()).toBe(true);
  });

  test("lets a daemon be killed and started again: its route goes and comes", async () => {
    await lab.kill("ha2", "daemon", "SIGKILL");
    await waitFor(async () => !(await installedNextHops(lab, "r1")).includes("10.1.0.12"), {
      deadlineMs: 10_000,
      what: "r1 to stop routing to ha2",
    });
    await lab.start("ha2");
    await waitFor(async () => (await installedNextHops(lab, "r1")).includes("10.1.0.12"), {
      deadlineMs: 30_000,
      what: "r1 to route to ha2 again",
    });
  });

  test("lets a router be restarted", async () => {
    const pid = (status: readonly NodeStatus[]) =>
      status.find(({ node }) => node === "r2")?.processes.find(({ kind }) => kind === "bgpd")?.pid;
    const before = pid(await lab.status());
    expect((await cli(["restart", ...name, "r2"])).exitCode).toBe(0);
    expect(pid(await lab.status())).not.toBe(before);
    await waitFor(async () => (await installedNextHops(lab, "r2")).length === 1, {
      deadlineMs: 30_000,
      what: "r2 to route again",
    });
  });

  test("does not mind another lab beside it", async () => {
    const other = new Lab(newLabName());
    try {
      await other.up();
      expect(await installedNextHops(other, "r1")).toHaveLength(3);
    } finally {
      await other.down();
    }
    expect(await installedNextHops(lab, "r1")).toHaveLength(3);
  });
});

whereLabsRun("taking a lab down", () => {
  const name = newLabName();
  afterEach(() => new Lab(name).down());

  async function expectNothingLeft() {
    const place = new LabPlace(name);
    const existing = await namespaces();
    expect(LAB_TOPOLOGY.nodes.filter((node) => existing.has(place.namespace(node.name)))).toEqual([]);
    expect(existsSync(place.directory)).toBe(false);
    expect(labNames()).not.toContain(name);
    const { stdout } = await execa("ps", ["-eo", "args"]);
    expect(stdout).not.toContain(place.directory);
  }

  /** Starts `lab up` and waits until it is in the middle of it. */
  async function upInterruptedBy(signal: NodeJS.Signals) {
    const up = execa(process.execPath, [ANYHOME_MAIN, "lab", "up", "--name", name], { reject: false });
    await waitFor(async () => (await new Lab(name).processes("ha1")).length > 0, {
      deadlineMs: 30_000,
      what: "the daemon of ha1 to be started",
    });
    up.kill(signal);
    return up;
  }

  test("an interrupted up cleans up after itself", async () => {
    const { exitCode, stderr } = await upInterruptedBy("SIGINT");
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining("interrupted by SIGINT")]);
    await expectNothingLeft();
  });

  test("what a killed up left behind goes with down, and down again does nothing", async () => {
    await upInterruptedBy("SIGKILL");
    expect(labNames()).toContain(name);
    await new Lab(name).down();
    await expectNothingLeft();
    await new Lab(name).down();
  });

  test("a lab that can't come up says why, with the end of the daemon's log, and leaves nothing", async () => {
    const lab = new Lab(name, { ...LAB_TOPOLOGY, virtualAddress: "192.0.2.1" });
    const error = await lab.up().catch((thrown) => thrown);
    expect(error).toBeInstanceOf(LabError);
    expect(error.message).toMatch(/the daemon of ha\d has ended/);
    expect(error.message).toContain("must be inside the virtual network 10.64.0.0/12");
    await expectNothingLeft();
  });
});

describe("the name of a lab", () => {
  test.each(["", "Lab", "1lab", "lab_1", "a/b", "..", "x".repeat(25)])("can't be %j", (name) => {
    expect(() => new Lab(name)).toThrow(RangeError);
  });

  test("keeps sockets within what the kernel takes", () => {
    const socket = new LabPlace("x".repeat(24)).node("ha1").controlSocket;
    expect(Buffer.byteLength(socket)).toBeLessThan(108);
  });
});
