/** The lab in containers, on a Docker engine of its own: really built, brought up, hurt, and removed without a trace. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { expect, inject, test } from "vitest";
import { ComposeLab } from "../../src/lab/compose/compose-lab.ts";
import { namespaces } from "../../src/lab/namespaces/namespace.ts";
import { ANYHOME_MAIN, labNames } from "../../src/lab/place.ts";
import { waitFor } from "../lab/harness.ts";
import { bgpPaths, IN_TIME, withComposeLab } from "./harness.ts";

withComposeLab("a lab of containers", "lab", (lab) => {
  const { name } = lab.place;

  test("has every home agent ready, and in the table of r1 a path to each", async () => {
    const homeAgents = (await lab.status()).filter(({ role }) => role === "home-agent");
    expect(homeAgents.map(({ node, ready }) => [node, ready])).toEqual([
      ["ha1", true],
      ["ha2", true],
      ["ha3", true],
    ]);
    await expect.poll(announcers, IN_TIME).toEqual(["65011", "65012", "65013"]);
    await expect.poll(() => lab.nextHops("r1"), IN_TIME).toEqual(["10.1.0.11", "10.1.0.12", "10.1.0.13"]);
    await expect.poll(() => lab.nextHops("r2"), IN_TIME).toEqual(["10.1.1.1"]);
  });

  test("runs daemon and ExaBGP in containers of their own, neither as root", async () => {
    const kinds = (await lab.status()).find(({ node }) => node === "ha1")?.processes.map(({ kind }) => kind) ?? [];
    expect(kinds).toEqual(expect.arrayContaining(["daemon", "exabgp", "helper"]));
    const uidOf = async (service: string) => {
      const container = await lab.docker.do([
        "ps",
        "--quiet",
        "--filter",
        `label=com.docker.compose.service=${service}`,
      ]);
      return lab.docker.do(["exec", container.trim(), "stat", "--format=%u", "/proc/1"]);
    };
    expect([await uidOf("ha1"), await uidOf("ha1-exabgp")]).toEqual(["900", "901"]);
  });

  test.each([
    ["fa1", "10.64.1.0", "10.1.11.2"],
    ["fa2", "10.68.0.0", "10.1.12.2"],
  ])("registers mobiles through %s, which home agents hold with their backups", async (node, first, careOfAddress) => {
    const words = ["anyhome", "mn", "load", "--mobiles", "50", "--first-home-address", first, "--output", "json"];
    const { stdout, stderr } = await lab.run(node, words);
    expect(JSON.parse(stdout), stderr).toMatchObject({ accepted: 50, unanswered: 0 });
    const held = (await bindings(["ha1", "ha2", "ha3"])).filter((it) => it.careOfAddress === careOfAddress);
    expect(held.filter(({ roles }) => roles.includes("owner"))).toHaveLength(50);
    expect(held.filter(({ roles }) => roles.includes("backup"))).toHaveLength(100);
  });

  test("routes around a home agent that is killed, whose mobiles the others serve, and back to it when it is started", async () => {
    await lab.kill("ha1", "daemon", "SIGKILL");
    await waitFor(async () => (await announcers()).join() === "65012,65013", {
      deadlineMs: 15_000,
      what: "r1 to have no path to ha1",
    });
    await expect.poll(() => lab.nextHops("r1"), IN_TIME).toEqual(["10.1.0.12", "10.1.0.13"]);
    await waitFor(
      async () => {
        const owned = (await bindings(["ha2", "ha3"])).filter(({ roles }) => roles.includes("owner"));
        return owned.length === 100;
      },
      { deadlineMs: 30_000, what: "the other home agents to own all mobiles" },
    );
    await lab.start("ha1");
    await waitFor(async () => (await announcers()).length === 3, { deadlineMs: 60_000, what: "r1 to have it again" });
  });

  test("is not built twice under one name", async () => {
    await expect(new ComposeLab(name).up({ topology: "lab", engine: "own" })).rejects.toThrow("is there already");
  });

  test("leaves nothing after down, but the images in the directory that was given for them", async () => {
    await lab.down();
    await expectNoTrace(name);
    expect(existsSync(join(inject("engineData"), "image"))).toBe(true);
  });

  test.each([
    ["images were made", async () => existsSync(join(lab.place.directory, "docker", "docker.sock"))],
    ["containers were started", async () => (await namespaces()).has(`anyhome-${name}-docker`)],
  ])("leaves nothing either where up was killed while %s", async (_, isReached) => {
    const words = ["lab", "up", "--driver", "compose", "--engine", "own", "--name", name];
    const child = execa(process.execPath, [ANYHOME_MAIN, ...words, "--engine-data", inject("engineData")], {
      reject: false,
    });
    await waitFor(isReached, { deadlineMs: 120_000, what: "up to be in the middle" });
    child.kill("SIGKILL");
    await child;
    await new ComposeLab(name).down();
    await expectNoTrace(name);
  });

  /** AS numbers of the home agents that r1's bgpd has a valid path from. */
  const announcers = () => bgpPaths(lab, "r1");

  async function bindings(homeAgents: readonly string[]): Promise<{ roles: string[]; careOfAddress: string }[]> {
    const lists = await Promise.all(
      homeAgents.map((node) => lab.run(node, ["anyhome", "bindings", "list", "-o", "json"])),
    );
    return lists.flatMap(({ stdout }) => JSON.parse(stdout));
  }
});

async function expectNoTrace(name: string): Promise<void> {
  expect(labNames()).not.toContain(name);
  expect([...(await namespaces())].filter((it) => it.includes(name))).toEqual([]);
  expect(readFileSync("/proc/self/mounts", "utf8")).not.toContain(name);
  const groups = ["/sys/fs/cgroup", ...readdirSync("/sys/fs/cgroup").map((it) => join("/sys/fs/cgroup", it))];
  expect(groups.filter((it) => existsSync(join(it, `anyhome-${name}-docker`)))).toEqual([]);
  const { stdout } = await execa("ps", ["-e", "-o", "args"]);
  expect(stdout.split("\n").filter((line) => line.includes(name) && line.includes("dockerd"))).toEqual([]);
}
