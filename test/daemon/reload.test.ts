/** A daemon that reads its configuration anew while it runs. */
import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { CountersView, PeerView, ReloadView, StatusView } from "../../src/adapters/api/members.ts";
import { waitFor } from "../../src/lab/wait.ts";
import { LoneDaemon } from "./lone-daemon.ts";

/** The last of them have no home address that is served here. */
const MORE_MOBILES = { mobiles: [{ range: "10.63.0.0-10.79.255.254", spi: 256, key: "1234567812345678" }] };

const status = async (daemon: LoneDaemon) => (await daemon.ask("status")) as StatusView;

test("members, rules and security associations change at once, by SIGHUP and by command, and what is under way goes on", async () => {
  await using daemon = await LoneDaemon.start();
  expect(await daemon.register("10.64.1.1")).toBe(0);
  daemon.configure("anyhome.yaml", {
    members: [...daemon.members, { id: "ha2", address: "127.0.0.2" }],
    registration: { "prohibited-care-of-networks": ["192.0.2.0/24"] },
  });
  expect(await daemon.ask("reload", "--check")).toMatchObject({ checked: true, outcome: "applied" });
  expect(await daemon.ask("peers")).toHaveLength(1);

  daemon.signal("SIGHUP");
  await waitFor(async () => (await status(daemon)).lastReload !== null, { deadlineMs: 20_000, what: "the reload" });
  expect((await status(daemon)).lastReload).toMatchObject({ outcome: "applied", problem: null });
  const peers = (await daemon.ask("peers")) as PeerView[];
  expect(peers.map(({ id }) => id)).toEqual(["ha1", "ha2"]);
  expect(await daemon.register("10.64.1.1")).toBe(129);

  daemon.configure("anyhome.yaml", { "security-associations": MORE_MOBILES });
  const back = (await daemon.ask("reload")) as ReloadView;
  expect(back.changes.map(({ path }) => path)).toContain("security-associations");
  expect(await daemon.register("10.64.1.1")).toBe(0);
  expect(await daemon.register("10.63.1.1")).toBe(129);
  expect(await daemon.ask("reload")).toMatchObject({ outcome: "unchanged", changes: [] });
  expect(((await daemon.ask("counters")) as CountersView).reloads).toEqual({ applied: 2, unchanged: 1 });
});

test("a file that can't be used, or that needs a restart, leaves everything as it was, and says so until it is mended", async () => {
  await using daemon = await LoneDaemon.start();
  writeFileSync(daemon.path("anyhome.yaml"), "cluster: [");
  await expect(daemon.ask("reload")).rejects.toThrow("the configuration can't be used");
  expect((await status(daemon)).alarms.find(({ id }) => id === "configuration")?.message).toMatch(/not YAML/);

  daemon.configure("anyhome.yaml", { cluster: "other", "security-associations": { mobiles: [] } });
  await expect(daemon.ask("reload")).rejects.toThrow("needs a restart");
  expect((await status(daemon)).lastReload?.problem).toBe("only a restart can change cluster");
  expect(await daemon.register("10.64.1.1")).toBe(0);

  daemon.configure("anyhome.yaml", {});
  expect(await daemon.ask("reload")).toMatchObject({ outcome: "unchanged" });
  expect((await status(daemon)).alarms.map(({ id }) => id)).not.toContain("configuration");
  expect(daemon.log.filter(({ event }) => event === "configuration-refused")).toHaveLength(2);
});
