/** Routing follows health, seen in the tables of an FRR router: what is amiss is not preferred, and the last one stays. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { Agent, request } from "undici";
import { afterAll, afterEach, expect, test } from "vitest";
import type { StatusView } from "../../src/adapters/api/members.ts";
import { fillDisk, freeDisk } from "../../src/lab/namespaces/small-disk.ts";
import { installedNextHops } from "./frr-tables.ts";
import { waitFor, withLab } from "./harness.ts";

const ADDRESSES: Readonly<Record<string, string>> = { ha1: "10.1.0.11", ha2: "10.1.0.12", ha3: "10.1.0.13" };
const HOME_AGENTS = Object.keys(ADDRESSES);
const PATIENCE = { deadlineMs: 30_000, intervalMs: 20 };

/** A home agent is told to be unhealthy by a file of its name in here. */
const sickroom = mkdtempSync(join(tmpdir(), "anyhome-sick-"));
afterAll(() => rmSync(sickroom, { recursive: true }));

const fallSick = (homeAgent: string) => writeFileSync(join(sickroom, homeAgent), "");
const recover = (homeAgent: string) => rmSync(join(sickroom, homeAgent), { force: true });

const health = {
  // They are struck one after the other here, ha1 in most tests: that is no flapping.
  damping: { "half-life": "1s", suppress: 1000, maximum: "10s" },
  exec: [
    {
      name: "told-so",
      command: ["sh", "-c", `test ! -e ${sickroom}/$ANYHOME_NODE || { echo told to be unhealthy; exit 1; }`],
      interval: "200ms",
      rise: 1,
      fall: 1,
    },
  ],
};

interface BgpPath {
  readonly peer: { readonly peerId: string };
  readonly locPrf?: number;
  readonly aspath: { readonly length: number };
  readonly community?: { readonly string: string };
}

withLab(
  "on the routers",
  (lab) => {
    /** The paths that r1 has, by the home agent that announces them. */
    async function paths(): Promise<Record<string, BgpPath>> {
      const { stdout } = await lab.run("r1", ["vtysh", "-c", "show bgp ipv4 unicast 10.64.0.0/12 json"]);
      const all = (JSON.parse(stdout) as { readonly paths?: readonly BgpPath[] }).paths ?? [];
      const nameOf = (address: string) => HOME_AGENTS.find((name) => ADDRESSES[name] === address) ?? address;
      return Object.fromEntries(all.map((path) => [nameOf(path.peer.peerId), path]));
    }
    const announced = async () => Object.keys(await paths()).sort();
    const preferred = async () => {
      const nextHops = await installedNextHops(lab, "r1");
      return HOME_AGENTS.filter((name) => nextHops.includes(ADDRESSES[name] ?? ""));
    };
    const untilPreferred = (...names: readonly string[]) =>
      waitFor(async () => `${await preferred()}` === `${names}`, { ...PATIENCE, what: `r1 to route to ${names}` });
    const untilAnnounced = (...names: readonly string[]) =>
      waitFor(async () => `${await announced()}` === `${names}`, { ...PATIENCE, what: `r1 to hear only ${names}` });
    /** Its exit code says whether it is ready: 5 is an answer here, too. */
    const status = async (homeAgent: string): Promise<StatusView> =>
      JSON.parse((await lab.run(homeAgent, ["anyhome", "status", "-o", "json"])).stdout);
    const register = async (homeAddress: string) => {
      const command = ["anyhome", "mn", "register", "--home-address", homeAddress, "-o", "json"];
      const { stdout, stderr } = await lab.run("fa1", command);
      return stdout === "" ? { accepted: false, stderr } : JSON.parse(stdout);
    };

    afterEach(async () => {
      for (const name of HOME_AGENTS) recover(name);
      await untilPreferred(...HOME_AGENTS);
    });

    test("a home agent that is unhealthy loses its traffic first, then its route, and has both again when it is well", async () => {
      fallSick("ha2");
      await untilPreferred("ha1", "ha3");
      expect((await paths()).ha2).toMatchObject({ locPrf: 0, community: { string: "graceful-shutdown" } });
      await untilAnnounced("ha1", "ha3");
      const { health, ready, preference, reasons } = await status("ha2");
      expect({ health, ready, preference, reasons }).toEqual({
        health: "down",
        ready: false,
        preference: null,
        reasons: ["told-so: told to be unhealthy"],
      });
      recover("ha2");
      await untilPreferred(...HOME_AGENTS);
      expect((await paths()).ha2?.community).toBeUndefined();
    });

    test("a home agent that drains keeps its route, at the end of the row, and loses no registration", async ({
      annotate,
    }) => {
      const load = lab.run("fa1", [
        ..."anyhome mn load --mobiles 300 --first-home-address 10.64.20.0 --rate 150 --duration 8 -o json".split(" "),
      ]);
      await waitFor(async () => (await status("ha1")).bindings.owned > 20, {
        ...PATIENCE,
        what: "ha1 to own bindings",
      });
      // Not by the command: its start would be measured as well.
      const dispatcher = new Agent({ connect: { socketPath: lab.place.node("ha1").controlSocket } });
      const since = performance.now();
      await request("http://localhost/v1/drain", { method: "POST", dispatcher });
      await untilPreferred("ha2", "ha3");
      await annotate(`drain → seen to be out of r1's FIB: ${Math.round(performance.now() - since)} ms`);
      expect((await paths()).ha1).toMatchObject({ locPrf: 0, community: { string: "graceful-shutdown" } });
      await dispatcher.destroy();
      const drained = await lab.run("ha1", ["anyhome", "drain", "-o", "json"]);
      expect(JSON.parse(drained.stdout)).toMatchObject({ health: "draining", bindings: { owned: 0 } });
      const report = JSON.parse((await load).stdout);
      await annotate(`under load: ${JSON.stringify(report)}`);
      expect(report).toMatchObject({ unanswered: 0, denied: {} });
      expect(await announced()).toEqual(HOME_AGENTS);
      await lab.run("ha1", ["anyhome", "undrain"]);
      await untilPreferred(...HOME_AGENTS);
    });

    test("a home agent without a route to mobiles leaves routing, all are answered by the others, and it is back with the route", async ({
      annotate,
    }) => {
      const load = ["anyhome", "mn", "load", "--mobiles", "100", "--first-home-address", "10.64.40.0"];
      // Each of them has answered the foreign agent once.
      await lab.run("fa1", [...load, "--rate", "200", "--duration", "2", "-o", "json"]);
      const [route = ""] = (await lab.run("ha1", ["ip", "route", "show", "default"])).stdout.split("\n");
      await lab.run("ha1", ["ip", "route", "del", "default"]);
      try {
        const since = performance.now();
        await untilAnnounced("ha2", "ha3");
        // The kernel of r1 comes after its bgpd.
        await untilPreferred("ha2", "ha3");
        await annotate(`route to mobiles gone → out of r1: ${Math.round(performance.now() - since)} ms`);
        const isTold = async () =>
          /routes: there is no route to .* ENETUNREACH/.test((await status("ha1")).reasons.join());
        // On a busy machine something worse can be amiss for a moment.
        await waitFor(isTold, { ...PATIENCE, what: "ha1 to tell that it has no route" });
        // RFC 5944 3.6.3: a mobile node asks again. Each goes the same way every time: one that led to ha1 would stay unanswered.
        const again = ["--rate", "100", "--duration", "3", "--timeout", "3", "--tries", "3", "-o", "json"];
        const { stdout } = await lab.run("fa1", [...load, ...again]);
        expect(JSON.parse(stdout)).toMatchObject({ unanswered: 0, denied: {} });
      } finally {
        await lab.run("ha1", ["ip", "route", "add", ...route.trim().split(" ")]);
      }
      await untilPreferred(...HOME_AGENTS);
    });

    const DISKS = [
      {
        what: "is full",
        first: "10.64.50.0",
        strike: (dataDirectory: string) => {
          fillDisk(dataDirectory);
          return () => freeDisk(dataDirectory);
        },
      },
      {
        // To the home agent it makes no difference what its write waits for.
        what: "hangs",
        first: "10.64.51.0",
        strike: (dataDirectory: string) => {
          const log = new Database(join(dataDirectory, "data", "log.sqlite"));
          log.exec("BEGIN IMMEDIATE");
          return () => log.close();
        },
      },
    ];
    test.each(DISKS)(
      "a home agent whose disk $what has its mobiles served by the others, and none is denied",
      async ({ first, strike }) => {
        const mobiles = ["anyhome", "mn", "load", "--mobiles", "100", "--first-home-address", first];
        const load = () => lab.run("fa1", [...mobiles, "--rate", "100", "--duration", "3", "-o", "json"]);
        await load();
        expect((await status("ha1")).bindings.owned).toBeGreaterThan(10);
        const mend = strike(lab.place.node("ha1").dataDirectory);
        try {
          expect(JSON.parse((await load()).stdout)).toMatchObject({ unanswered: 0, denied: {} });
          await waitFor(async () => (await status("ha1")).bindings.owned === 0, {
            ...PATIENCE,
            what: "ha1 to have given all it owned away",
          });
        } finally {
          mend();
        }
        await untilPreferred(...HOME_AGENTS);
      },
    );

    test("three home agents that are all unhealthy stay, and register mobiles; one whose serving path is dead does not", async () => {
      for (const name of HOME_AGENTS) fallSick(name);
      const isGuarding = async (name: string) => (await status(name)).alarms.some(({ id }) => id === "last-announcer");
      for (const name of HOME_AGENTS) {
        await waitFor(() => isGuarding(name), { ...PATIENCE, what: `${name} to find itself among the last` });
      }
      const all = await paths();
      expect(Object.keys(all).sort()).toEqual(HOME_AGENTS);
      for (const path of Object.values(all)) {
        expect(path).toMatchObject({ locPrf: 0, community: { string: "graceful-shutdown" }, aspath: { length: 7 } });
      }
      expect(await preferred()).toEqual(HOME_AGENTS);
      expect(await register("10.64.30.1")).toMatchObject({ accepted: true });
      expect(await status("ha1")).toMatchObject({ health: "guarding", ready: false, preference: "lowest" });

      const { dataDirectory } = lab.place.node("ha1");
      fillDisk(dataDirectory);
      try {
        // Who can't write can't serve: it is found out by a registration, of which every member has a copy.
        await waitFor(
          async () => {
            await register("10.64.30.2");
            return `${await announced()}` === "ha2,ha3";
          },
          { ...PATIENCE, what: "r1 to lose the route of who can't write" },
        );
        expect(await register("10.64.30.3")).toMatchObject({ accepted: true });
      } finally {
        freeDisk(dataDirectory);
      }
    });
  },
  { health, diskMegabytes: 64 },
);
