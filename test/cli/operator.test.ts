import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { deletionView } from "../../src/adapters/api/bindings.ts";
import type { StatusView } from "../../src/adapters/api/members.ts";
import {
  alice,
  counters,
  FakeService,
  forwarding,
  forwardingCounters,
  forwardingOfMobile,
  peers,
  pending,
  routes,
  status,
  traffic,
} from "../adapters/api/fake-service.ts";
import { anyhome, anyhomeIntoClosedPipe } from "./anyhome.ts";
import { fakeDaemon } from "./fake-daemon.ts";

describe.concurrent("JSON and YAML, the contract with scripts", () => {
  const commands: readonly (readonly [command: string, answer: unknown])[] = [
    ["status", status],
    ["peers", peers],
    ["routes", routes],
    ["counters", counters],
    ["forwarding list", [forwarding]],
    ["forwarding show 10.79.0.1", forwardingOfMobile],
    ["forwarding counters", forwardingCounters],
    ["bindings list", [alice, pending]],
    ["bindings show alice@example.com", { ...alice, traffic }],
    ["bindings delete 10.79.0.1", deletionView.parse(alice)],
  ];

  test.each(commands)("%s prints what the daemon answers", async (command, answer) => {
    await using daemon = await fakeDaemon();
    const restore = [...daemon.service.all];
    const json = await daemon.run(...command.split(" "), "-o", "json");
    expect({ ...json, stdout: JSON.parse(json.stdout) }).toEqual({ exitCode: 0, stdout: answer, stderr: "" });
    daemon.service.all.splice(0, Number.POSITIVE_INFINITY, ...restore);
    const yaml = await daemon.run(...command.split(" "), "--output", "yaml");
    expect({ ...yaml, stdout: parse(yaml.stdout) }).toEqual({ exitCode: 0, stdout: answer, stderr: "" });
  });

  test("a binding has the fields that scripts rely on", async () => {
    await using daemon = await fakeDaemon();
    const { stdout } = await daemon.run("bindings", "show", "10.79.0.1", "-o", "json");
    expect(JSON.parse(stdout)).toEqual({
      mobile: "nai:alice@example.com",
      homeAddress: "10.79.0.1",
      nai: "alice@example.com",
      careOfAddress: "203.0.113.9",
      careOfAddresses: [
        {
          careOfAddress: "203.0.113.9",
          foreignAgent: "203.0.113.9:434",
          lifetime: 1800,
          expiresAt: "2099-01-02T03:04:05.000Z",
          flags: ["S", "T"],
        },
      ],
      foreignAgent: "203.0.113.9:434",
      owner: "ha1",
      ownerAddress: "10.1.0.11",
      roles: ["owner", "ingress"],
      state: "permanent",
      lifetime: 1800,
      expiresAt: "2099-01-02T03:04:05.000Z",
      identification: "0xe8d4a51000000001",
      generation: 3,
      traffic: { toMobile: { packets: 3, octets: 252 }, fromMobile: { packets: 2, octets: 168 } },
    });
  });

  test("an empty list is a list", async () => {
    await using daemon = await fakeDaemon(new FakeService(0));
    expect((await daemon.run("bindings", "list", "-o", "json")).stdout).toBe("[]\n");
    expect((await daemon.run("bindings", "list", "-o", "yaml")).stdout).toBe("[]\n");
  });

  test("a list of many pages looks as if it had come in one piece", async () => {
    await using daemon = await fakeDaemon(new FakeService(2500));
    const { stdout } = await daemon.run("bindings", "list", "-o", "json");
    expect(stdout).toBe(`${JSON.stringify(daemon.service.all, null, 2)}\n`);
    expect(daemon.service.queries.length).toBeGreaterThan(2);
    expect(parse((await daemon.run("bindings", "list", "-o", "yaml")).stdout)).toEqual(daemon.service.all);
  });
});

describe.concurrent("tables, for people", () => {
  test("status", async () => {
    await using daemon = await fakeDaemon();
    expect((await daemon.run("status")).stdout).toBe(
      [
        "Node:             ha1 of cluster lab, version 0.1.0",
        "Running for:      1d 2h",
        "Configuration:    as it was at the start",
        "Ready:            yes",
        "Health:           ready",
        "Announced:        with normal preference",
        "Virtual address:  10.64.0.1 in 10.64.0.0/12",
        "Bindings:         12 owned, 5 as backup, 5 as ingress, 1 temporary, 2 tombstones",
        "Registrations:    3.3/s",
        "Store:            0 changes queued, 17 not folded, last commit 0.4 ms, 12.3 GiB free",
        "Checks:           free-disk pass since 2026-01-02T03:04:05.000Z: 12.3 GiB are free",
        "Alarms:           clock-skew since 2026-01-02T03:04:05.000Z: the clock of ha3 differs by 2.5 s",
        "",
      ].join("\n"),
    );
  });

  test("bindings list", async () => {
    await using daemon = await fakeDaemon();
    daemon.service.all.push({ ...alice, nai: null, homeAddress: "10.64.1.1", expiresAt: null });
    const { stdout } = await daemon.run("bindings", "list");
    expect(stdout.replaceAll(/\d+d \d+h/g, "LEFT").split("\n")).toEqual([
      "HOME ADDRESS  NAI                CARE-OF ADDRESS  FOREIGN AGENT    OWNER  ROLES          STATE      EXPIRES IN",
      "10.79.0.1     alice@example.com  203.0.113.9      203.0.113.9:434  ha1    owner,ingress  permanent  LEFT",
      "10.64.1.77    -                  203.0.113.9      203.0.113.9:434  ha2    ingress        temporary  LEFT",
      "10.64.1.1     -                  203.0.113.9      203.0.113.9:434  ha1    owner,ingress  permanent  never",
      "",
    ]);
  });

  test("bindings list over many pages has one heading and every binding", async () => {
    await using daemon = await fakeDaemon(new FakeService(2500));
    const lines = (await daemon.run("bindings", "list")).stdout.trimEnd().split("\n");
    expect(lines.filter((line) => line.startsWith("HOME ADDRESS"))).toHaveLength(1);
    expect(lines.slice(1).map((line) => line.split(" ")[0])).toEqual(
      daemon.service.all.map(({ homeAddress }) => homeAddress),
    );
  });

  test("bindings show", async () => {
    await using daemon = await fakeDaemon();
    const { stdout } = await daemon.run("bindings", "show", "10.79.0.1");
    expect(stdout).toMatch(/^Home address: +10\.79\.0\.1$/m);
    expect(stdout).toMatch(/^Lifetime: +30m$/m);
    expect(stdout).toMatch(/^To the mobile: +3 packets, 252 octets$/m);
    expect(stdout).toMatch(/^From the mobile: +2 packets, 168 octets$/m);
    expect(stdout).toMatch(/^Care-of addresses: +203\.0\.113\.9 by 203\.0\.113\.9:434, flags ST, expires in /m);
  });

  test("bindings delete", async () => {
    await using daemon = await fakeDaemon();
    expect((await daemon.run("bindings", "delete", "10.79.0.1")).stdout).toBe(
      "deleted the binding of alice@example.com\n",
    );
    expect(daemon.service.all).toEqual([pending]);
    expect(daemon.service.deletions).toEqual([{ forgetReplay: false }]);
  });

  test("bindings delete --forget-replay", async () => {
    await using daemon = await fakeDaemon();
    expect((await daemon.run("bindings", "delete", "10.79.0.1", "--forget-replay")).stdout).toBe(
      "deleted the binding and the replay state of alice@example.com\n",
    );
    expect(daemon.service.deletions).toEqual([{ forgetReplay: true }]);
  });

  test("peers", async () => {
    await using daemon = await fakeDaemon();
    const [head, self, other] = (await daemon.run("peers")).stdout.split("\n");
    expect(head).toMatch(/^ID +ADDRESS +STATE +HEALTH +HEARD +OWNED +REG\/S/);
    expect(self).toMatch(/^ha1 +10\.1\.0\.11:4340 +self +ready +0 ms ago +12 +3\.3 +2 ms +0 +0 ms +7 +same +- +-$/);
    expect(other).toMatch(
      /^ha2 +10\.1\.0\.12:4340 +unknown +- +- +- +- +- +- +- +- +- +down +l3 \(no MAC address is known\)$/,
    );
  });

  test("rebalance waits until it is done, and says how far it is", async () => {
    const service = new FakeService();
    const moving = { running: true, bindings: 12, examined: 5, moved: 2, unclaimed: 0 };
    const done = { ...moving, running: false, examined: 12, moved: 4 };
    service.moving = [moving, moving, done];
    await using daemon = await fakeDaemon(service);
    const { stdout, stderr, exitCode } = await daemon.run("rebalance");
    expect(stderr).toBe("looked at 5 of 12 bindings, moved 2\n");
    expect(stdout).toBe("ha1 is ready; it owns 12 bindings\nlooked at 12 of 12 bindings, moved 4\n");
    expect(exitCode).toBe(0);
  });

  test("rebalance fails if bindings were not taken, and doesn't wait where it is told not to", async () => {
    const service = new FakeService();
    const moving = { running: true, bindings: 12, examined: 5, moved: 2, unclaimed: 0 };
    service.moving = [moving, { ...moving, running: false, unclaimed: 3 }, moving];
    await using daemon = await fakeDaemon(service);
    expect(await daemon.run("rebalance")).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("3 bindings were given to members that did not take them"),
    });
    expect(await daemon.run("rebalance", "--no-wait")).toMatchObject({ exitCode: 0, stderr: "" });
  });

  test("drain waits until nothing is owned any more, and shows how far it is", async () => {
    await using daemon = await fakeDaemon();
    let owned = 300;
    daemon.service.status = () => {
      owned -= 100;
      return { ...status, health: "draining", draining: true, bindings: { ...status.bindings, owned } };
    };
    const { exitCode, stdout, stderr } = await daemon.run("drain");
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 0,
      stdout: "ha1 is draining; it owns 0 bindings\n",
      stderr: "200 bindings to go\n100 bindings to go\n",
    });
    expect(daemon.service.orders).toEqual(["drain"]);
  });

  test("reload: what changes, and whether it is in force", async () => {
    await using daemon = await fakeDaemon();
    const { stdout } = await daemon.run("reload");
    expect(stdout).toMatch(/^members\[ha2\]\.weight +100 +50 +at once$/m);
    expect(stdout).toMatch(/^members\[ha4\]\.address +- +10\.1\.0\.14 +at once$/m);
    expect(stdout).toMatch(/^the configuration: it is in force$/m);
    expect((await daemon.run("reload", "--check")).stdout).toMatch(/^the configuration: all of it can be taken over$/m);
    expect(daemon.service.orders).toEqual(["reload", "reload --check"]);
  });

  test.each<[string, string[], Partial<StatusView>, RegExp]>([
    ["in time", ["--timeout", "0.1"], { draining: true }, /12 bindings are still here after 0\.1 s/],
    ["before somebody ended it", [], { draining: false }, /the drain was ended/],
  ])("drain that isn't done %s exits with 1", async (_, options, change, message) => {
    await using daemon = await fakeDaemon();
    daemon.service.status = () => ({ ...status, ...change });
    const { exitCode, stderr } = await daemon.run("drain", ...options);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(message);
  });

  test.each([["drain", "--no-wait"], ["undrain"], ["rebalance"]])(
    "%s passes the order on, and says what became of it",
    async (order, ...options) => {
      await using daemon = await fakeDaemon();
      expect((await daemon.run(order, ...options)).stdout).toBe("ha1 is ready; it owns 12 bindings\n");
      expect(daemon.service.orders).toEqual([order]);
    },
  );

  test("routes", async () => {
    await using daemon = await fakeDaemon();
    const { stdout } = await daemon.run("routes");
    expect(stdout).toMatch(/^Speaker: +exabgp, running, pid 4711$/m);
    expect(stdout).toMatch(/^10\.64\.0\.0\/12, community 65535:0, med 50, prepended 2 times +to be announced$/m);
    expect(stdout).toMatch(/^10\.1\.0\.1 +up +yes +2026-01-02T03:04:05\.000Z$/m);
    expect(stdout).toMatch(/^10\.1\.0\.2 +up +unknown +2026-01-02T03:04:05\.000Z$/m);
    expect(stdout).toMatch(
      /^10\.64\.0\.0\/12 +ha2 +10\.1\.0\.1 +10\.1\.0\.12 +65001 65012 +community 65535:0, med 7$/m,
    );
    expect(stdout).toMatch(/^10\.64\.0\.0\/12 +a stranger +10\.1\.0\.1 +10\.1\.0\.99 +65001 64999$/m);
    expect(stdout).toMatch(/^10\.64\.0\.0\/12 is announced by ha1, ha2\.$/m);
    expect(stdout).toMatch(/^Who announces 10\.64\.0\.1\/32 isn't known: /m);
    expect(stdout).toMatch(/^10\.1\.0\.1 +up +2026-01-02T03:04:06\.000Z +300 ms +900 ms$/m);
    expect(stdout).toMatch(/^10\.1\.0\.2 +down +\S+ +1000 ms +- +the detection time has expired$/m);
  });

  test("routes where nothing is announced by the daemon", async () => {
    await using daemon = await fakeDaemon();
    const [advertisement] = routes.desired;
    const wish = advertisement === undefined ? [] : [advertisement];
    daemon.service.routes = () => ({
      ...routes,
      type: "none",
      desired: wish,
      applied: wish,
      neighbors: [],
      view: [],
      bfd: [],
    });
    expect((await daemon.run("routes")).stdout).toMatch(/^10\.64\.0\.0\/12.* to be routed here by other means$/m);
  });

  test("forwarding list", async () => {
    await using daemon = await fakeDaemon();
    const { stdout } = await daemon.run("forwarding", "list");
    expect(stdout).toMatch(
      /^10\.79\.0\.1 +203\.0\.113\.9 +ip-in-ip +no +3 packets, 252 octets +2 packets, 168 octets +never$/m,
    );
    expect(stdout).toMatch(/^ +203\.0\.113\.10 +gre +yes +\d+d/m);
  });

  test("forwarding show", async () => {
    await using daemon = await fakeDaemon();
    const { stdout } = await daemon.run("forwarding", "show", "10.79.0.1");
    expect(stdout).toMatch(/^Known from: +what the owner has told this home agent$/m);
    expect(stdout).toMatch(/^Tunnels: +203\.0\.113\.9 by ip-in-ip, never ends$/m);
    expect(stdout).toMatch(/^ +203\.0\.113\.10 by gre, in both directions, ends in \d+d/m);
    expect(stdout).toMatch(/^To the mobile: +3 packets, 252 octets$/m);
    expect(stdout).toMatch(/^Homes: +ha2 \(not alive\), ha3$/m);
    const unknown = await daemon.run("forwarding", "show", "10.79.0.9");
    expect(unknown).toMatchObject({ exitCode: 3, stdout: "" });
  });

  test("forwarding counters", async () => {
    await using daemon = await fakeDaemon();
    const { stdout } = await daemon.run("forwarding", "counters");
    expect(stdout).toMatch(/^Uplinks: +eth0, eth1$/m);
    expect(stdout).toMatch(/^source-unregistered +4$/m);
    daemon.service.forwardingCounters = () => ({ ...forwardingCounters, failure: "EPERM" });
    expect((await daemon.run("forwarding", "counters")).stdout).toMatch(/^Working: +no: EPERM$/m);
    daemon.service.forwardingCounters = () => ({
      type: "none",
      failure: null,
      uplinks: [],
      passedOn: { toMobile: 0, fromMobile: 0 },
      drops: {},
    });
    expect((await daemon.run("forwarding", "counters")).stdout).toMatch(/forwards no packets/);
  });

  test("counters", async () => {
    await using daemon = await fakeDaemon();
    const { stdout } = await daemon.run("counters");
    expect(stdout).toMatch(/^requests-received +5$/m);
    expect(stdout).toMatch(/^datagrams-dropped +truncated-message +3$/m);
  });
});

describe.concurrent("bindings list", () => {
  test("hands its conditions on, and stops at the limit", async () => {
    await using daemon = await fakeDaemon(new FakeService(2500));
    const { stdout } = await daemon.run(
      "bindings",
      "list",
      "--role",
      "owner",
      "--state",
      "permanent",
      "--owner",
      "ha1",
      "--limit",
      "350",
      "-o",
      "json",
    );
    expect(JSON.parse(stdout)).toHaveLength(350);
    expect(daemon.service.queries).toMatchObject([
      { role: "owner", state: "permanent", owner: "ha1", limit: 250 },
      { role: "owner", state: "permanent", owner: "ha1", limit: 100, after: "250" },
    ]);
  });

  test("prints the bindings of one mobile", async () => {
    await using daemon = await fakeDaemon();
    await daemon.run("bindings", "list", "--mobile", "alice@example.com");
    expect(daemon.service.queries).toMatchObject([{ mobile: { by: "nai", nai: "alice@example.com" } }]);
  });

  test("ends quietly when its reader has seen enough", async () => {
    await using daemon = await fakeDaemon(new FakeService(20_000));
    const { exitCode, stderr } = await anyhomeIntoClosedPipe(["bindings", "list", "--socket", daemon.socket]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(daemon.service.queries.length).toBeLessThan(20);
  });
});

describe.concurrent("exit codes", () => {
  test("1: the daemon refuses", async () => {
    await using daemon = await fakeDaemon();
    const { exitCode, stdout, stderr } = await daemon.run("bindings", "delete", "10.64.1.77");
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toBe("anyhome: ha2 owns this mobile: delete its binding there\n");
  });

  test("1: what answers is not a daemon of this version", async () => {
    const directory = mkdtempSync(join(tmpdir(), "anyhome-cli-"));
    const socket = join(directory, "control.sock");
    const server = createServer((_, response) => response.end('{"node":5}'));
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    const { exitCode, stderr } = await anyhome(["status", "--socket", socket]);
    await new Promise((resolve) => server.close(resolve));
    rmSync(directory, { recursive: true });
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: expect.stringContaining("another version") });
  });

  test("3: no such binding", async () => {
    await using daemon = await fakeDaemon();
    const { exitCode, stdout, stderr } = await daemon.run("bindings", "show", "10.64.9.9", "-o", "json");
    expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: "" });
    expect(stderr).toBe("anyhome: this home agent has no binding of 10.64.9.9\n");
  });

  test("4: no daemon", async () => {
    const { exitCode, stdout, stderr } = await anyhome(["status", "--socket", "/nonexistent/control.sock"]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 4, stdout: "" });
    expect(stderr).toContain("can't reach the daemon at /nonexistent/control.sock");
  });

  test("5: status of a daemon that is not ready, which it prints nevertheless", async () => {
    await using daemon = await fakeDaemon();
    daemon.service.status = () => ({ ...status, ready: false, health: "starting", reasons: ["the store is loading"] });
    const { exitCode, stdout, stderr } = await daemon.run("status", "-o", "json");
    expect({ exitCode, stderr }).toEqual({ exitCode: 5, stderr: "anyhome: ha1 is not ready\n" });
    expect(JSON.parse(stdout)).toMatchObject({ ready: false, reasons: ["the store is loading"] });
    expect((await daemon.run("status")).stdout).toMatch(/^Ready: +no: the store is loading$/m);
    expect((await daemon.run("peers")).exitCode).toBe(0);
  });
});

describe.concurrent("the surroundings", () => {
  test("--socket comes before ANYHOME_SOCKET", async () => {
    await using daemon = await fakeDaemon();
    const run = await anyhome(["status", "--socket", daemon.socket], { ANYHOME_SOCKET: "/nonexistent" });
    expect(run.exitCode).toBe(0);
  });

  test("there are no colours where they are not wanted", async () => {
    await using daemon = await fakeDaemon();
    const { stdout } = await anyhome(["bindings", "list"], {
      ANYHOME_SOCKET: daemon.socket,
      NO_COLOR: "1",
      FORCE_COLOR: "1",
    });
    expect(stdout).not.toContain("\u001b");
  });
});
