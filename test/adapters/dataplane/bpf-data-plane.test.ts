import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeAll, expect, test } from "vitest";
import { TunnelDataPlane } from "../../../src/adapters/dataplane/tunnel-data-plane.ts";
import type { ForwardingEntry } from "../../../src/core/forwarding/forwarding-entry.ts";
import { formatIpv4, ipv4 } from "../../../src/core/wire/ipv4.ts";
import { waitFor } from "../../../src/lab/wait.ts";
import { CARE_OF, ENTRY, optionsOf } from "./data-plane-options.ts";
import { addUplink, enterOwnNamespace, ip, tc } from "./own-namespace.ts";
import { whereProgramsRun } from "./where-programs-run.ts";

const CHILD = new URL("data-plane-child.ts", import.meta.url).pathname;
const HOUR_MS = 3_600_000;
const MOBILE = formatIpv4(ENTRY.homeAddress);

whereProgramsRun("the data plane", () => {
  const planes: TunnelDataPlane[] = [];
  let failures: (string | undefined)[] = [];

  beforeAll(() => {
    enterOwnNamespace();
  });

  afterEach(() => {
    for (const plane of planes.splice(0)) plane.stop();
    failures = [];
  });

  async function start({ entries = [ENTRY] as readonly ForwardingEntry[] } = {}): Promise<TunnelDataPlane> {
    const changed = () => failures.push(plane.failure);
    const plane = new TunnelDataPlane({ ...optionsOf(() => entries), changed });
    planes.push(plane);
    await plane.start();
    return plane;
  }

  async function send(): Promise<void> {
    const socket = createSocket("udp4");
    await new Promise((resolve) => socket.send("to a mobile", 9, MOBILE, resolve));
    socket.close();
  }

  /** Frames that have left by the uplink. */
  function framesSent(): number {
    const [link] = JSON.parse(ip("-statistics -json link show dev far")) as [{ stats64: { rx: { packets: number } } }];
    return link.stats64.rx.packets;
  }

  /** The kernel sends one packet to the mobile; whether that was encapsulated. */
  async function reaches(plane: TunnelDataPlane): Promise<boolean> {
    const before = plane.trafficOf(ENTRY.homeAddress).packetsToMobile;
    await send();
    return plane.trafficOf(ENTRY.homeAddress).packetsToMobile === before + 1;
  }

  const filters = (device: string, hook: "ingress" | "egress") => tc(`filter show dev ${device} ${hook}`);
  const untilWorking = (plane: TunnelDataPlane) =>
    waitFor(async () => plane.failure === undefined && (await reaches(plane)), {
      deadlineMs: 20_000,
      what: "packets to be forwarded again",
    });

  test("says what it lacks, goes on trying, and works when that has come", async () => {
    const plane = await start();
    expect(plane.failure).toMatch(/there is no uplink/);
    addUplink();
    await untilWorking(plane);
    expect(plane.uplinks).toEqual(["uplink"]);
    expect(failures).toEqual([expect.stringMatching(/no uplink/), undefined]);
  });

  test("works once its entries can be had, where they could not be at first", async () => {
    let tries = 0;
    const entries = () => {
      tries += 1;
      if (tries === 1) throw new Error("no memory");
      return [ENTRY];
    };
    const plane = new TunnelDataPlane(optionsOf(entries));
    planes.push(plane);
    await plane.start();
    expect(plane.failure).toBe("no memory");
    await untilWorking(plane);
  });

  test("goes on trying where there is no room yet for what it is set up with", async () => {
    const script = `ulimit -n 64; exec "${process.execPath}" "${new URL("descriptors-child.ts", import.meta.url).pathname}"`;
    const { stdout } = await execa("sh", ["-c", script]);
    expect(stdout).toMatch(/^.*(EMFILE|Too many open files).*; then there is no uplink \(none\)$/);
  });

  test("routes the network to its device, with room for a tunnel header, and to nowhere if that vanishes", async () => {
    await start();
    // Whatever route of the whole network there is, such as that of an interface for OSPF.
    ip("route add 10.64.0.0/12 dev lo");
    const lines = ip("route show root 10.64.0.0/12").trim().split(/ *\n/);
    ip("route delete 10.64.0.0/12 dev lo");
    expect(lines.toSorted()).toEqual([
      "10.64.0.0/12 dev lo scope link",
      expect.stringMatching(/^10\.64\.0\.0\/13 dev anyhome0 .*mtu 1468/),
      expect.stringMatching(/^10\.72\.0\.0\/13 dev anyhome0 .*mtu 1468/),
      expect.stringMatching(/^blackhole 10\.64\.0\.0\/12 .*metric 4294967280/),
    ]);
  });

  test("makes its device again when somebody has deleted it", async () => {
    const plane = await start();
    ip("link delete anyhome0");
    expect(() => ip("route get 10.64.1.1")).toThrow("Invalid argument");
    await untilWorking(plane);
    expect(failures).toEqual([undefined]);
  });

  test("attaches again what somebody has removed", async () => {
    const plane = await start();
    tc("filter delete dev uplink ingress");
    tc("filter delete dev anyhome0 egress");
    await waitFor(
      () =>
        filters("uplink", "ingress").includes("decapsulate") && filters("anyhome0", "egress").includes("encapsulate"),
      { deadlineMs: 20_000, what: "both programs to be back" },
    );
    expect(await reaches(plane)).toBe(true);
  });

  test("has its interfaces forward again when somebody has stopped that for all of them", async () => {
    const forwarding = (name: string) => `/proc/sys/net/ipv4/conf/${name}/forwarding`;
    const plane = await start();
    writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
    writeFileSync("/proc/sys/net/ipv4/ip_forward", "0");
    expect(readFileSync(forwarding("uplink"), "latin1")).toBe("0\n");
    await waitFor(() => ["uplink", "anyhome0"].every((name) => readFileSync(forwarding(name), "latin1") === "1\n"), {
      deadlineMs: 20_000,
      what: "both interfaces to forward",
    });
    expect(plane.failure).toBeUndefined();
  });

  test("leaves the programs of a second daemon on the host where they are, and is left by that", async () => {
    await start();
    const second = new TunnelDataPlane({
      ...optionsOf(() => []),
      device: "anyhome1",
      virtualAddress: ipv4("10.80.0.1"),
      networks: [{ address: ipv4("10.80.0.0"), length: 12 }],
    });
    await second.start();
    expect(second.failure).toBeUndefined();
    expect(filters("uplink", "ingress").match(/direct-action/g)).toHaveLength(2);
    second.stop();
    expect(filters("uplink", "ingress").match(/direct-action/g)).toHaveLength(1);
  });

  test("goes on when its daemon is killed, and is taken over by the next one, which has counted nothing yet", async () => {
    ip(`neighbor replace ${CARE_OF} lladdr 02:00:00:00:00:09 dev uplink`);
    const child = execa(process.execPath, [CHILD], { reject: false });
    const [said] = await once(child.stdout, "data");
    expect(String(said)).toBe("working\n");
    child.kill("SIGKILL");
    await child;
    const before = framesSent();
    await send();
    await waitFor(() => framesSent() > before, {
      deadlineMs: 10_000,
      what: "a packet to be forwarded by nobody's programs",
    });
    const next = await start();
    expect(next.failure).toBeUndefined();
    expect(next.trafficOf(ENTRY.homeAddress).packetsToMobile).toBe(0);
    expect(await reaches(next)).toBe(true);
    expect(filters("anyhome0", "egress").match(/direct-action/g)).toHaveLength(1);
  });

  test("forwards where the host's uptime is told differently, as it is in some containers", async () => {
    ip(`neighbor replace ${CARE_OF} lladdr 02:00:00:00:00:09 dev uplink`);
    const uptime = join(mkdtempSync(join(tmpdir(), "anyhome-uptime-")), "uptime");
    writeFileSync(uptime, "12.00 20.00\n");
    const script = 'mount --bind "$0" /proc/uptime && exec "$@"';
    const child = execa("unshare", ["--mount", "sh", "-c", script, uptime, process.execPath, CHILD], { reject: false });
    try {
      const [said] = await once(child.stdout, "data");
      expect(String(said)).toBe("working\n");
      const before = framesSent();
      await send();
      await waitFor(() => framesSent() > before, { deadlineMs: 10_000, what: "a packet to be forwarded" });
    } finally {
      child.kill("SIGKILL");
      await child;
      rmSync(dirname(uptime), { recursive: true });
    }
    await start();
  });

  test("leaves nothing behind when it is stopped", async () => {
    const plane = await start();
    planes.splice(0);
    plane.stop();
    expect(ip("route show root 10.64.0.0/12")).toBe("");
    expect(ip("link show")).not.toContain("anyhome0");
    expect(filters("uplink", "ingress")).toBe("");
  });

  test("leaves nothing behind when it does not work at that time", async () => {
    const plane = await start();
    planes.splice(0);
    ip("link set uplink down");
    await waitFor(() => plane.failure !== undefined, { deadlineMs: 20_000, what: "the uplink to be missed" });
    plane.stop();
    ip("link set uplink up");
    ip("route add default via 192.0.2.254");
    expect(ip("route show root 10.64.0.0/12")).toBe("");
    expect(ip("link show")).not.toContain("anyhome0");
    expect(filters("uplink", "ingress")).toBe("");
  });

  test("is stopped without ado when its device and its uplink are gone already", async () => {
    const plane = await start();
    planes.splice(0);
    ip("link delete anyhome0");
    ip("link delete uplink");
    plane.stop();
    expect(ip("route show root 10.64.0.0/12")).toBe("");
    addUplink();
  });

  test("has entries end by the time that the home agent goes by, whatever the system's clock was set to", async () => {
    const plane = new TunnelDataPlane({ ...optionsOf(() => []), wallMs: () => Date.now() - HOUR_MS });
    planes.push(plane);
    await plane.start();
    const [tunnel] = ENTRY.tunnels;
    const endingAt = (expiresAtMs: number) => ({ ...ENTRY, tunnels: tunnel ? [{ ...tunnel, expiresAtMs }] : [] });
    plane.forward([endingAt(Date.now() - HOUR_MS / 2)]);
    expect(await reaches(plane)).toBe(true);
    plane.forward([endingAt(Date.now() - HOUR_MS - 1000)]);
    expect(await reaches(plane)).toBe(false);
    expect(plane.drops()["destination-expired"]).toBe(1);
  });

  test("follows changes of entries", async () => {
    const plane = await start({ entries: [] });
    expect(await reaches(plane)).toBe(false);
    plane.forward([ENTRY]);
    expect(await reaches(plane)).toBe(true);
    plane.forward([{ ...ENTRY, tunnels: [] }]);
    expect(plane.trafficOf(ENTRY.homeAddress).packetsToMobile).toBe(0);
    expect(plane.drops()["destination-unregistered"]).toBeGreaterThan(0);
  });
});
