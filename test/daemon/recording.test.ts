/** A daemon whose core's inputs are recorded, and the same decisions made once more. */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { anyhome } from "../cli/anyhome.ts";
import { intoFile, LoneDaemon } from "./lone-daemon.ts";

/** Registers, deletes, and changes its rules while it is recorded; resolves once it has ended. */
async function record(daemon: LoneDaemon, ...options: string[]): Promise<void> {
  expect(await daemon.register("10.64.1.1")).toBe(0);
  await daemon.stop("SIGTERM");
  await daemon.start((command, directory) =>
    intoFile([...command, "--record", daemon.path("recording"), ...options], `${directory}/log`),
  );
  expect(await daemon.register("10.64.1.2")).toBe(0);
  await daemon.ask("bindings", "delete", "10.64.1.1");
  daemon.configure("anyhome.yaml", { registration: { "prohibited-care-of-networks": ["192.0.2.0/24"] } });
  await daemon.ask("reload");
  expect(await daemon.register("10.64.1.3")).toBe(129);
  expect(await anyhome(["drain", "--no-wait"], { ANYHOME_SOCKET: daemon.path("control.sock") })).toMatchObject({
    exitCode: 0,
  });
  expect(await daemon.stop("SIGTERM")).toBe(0);
}

test("a recording makes the same decisions again: registrations, deletions, another configuration, a drain", async () => {
  await using daemon = await LoneDaemon.start();
  await record(daemon, "--record-keys");
  const file = daemon.path("recording");
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const { stdout, stderr, exitCode } = await anyhome(["replay", file, "-o", "json"]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  const report = JSON.parse(stdout);
  expect(report).toMatchObject({ different: [], failures: [] });
  expect(report.inputs).toBeGreaterThan(5);
  const printed = await anyhome(["replay", file, "--print"]);
  const turns = printed.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(turns).toHaveLength(report.turns);
  const inputs = turns.flatMap((turn) => turn.inputs.map(({ type }: { type: string }) => type));
  expect(inputs).toEqual(expect.arrayContaining(["datagram", "durable", "delete-binding", "reconfigure", "drain"]));
  const replies = turns.flatMap((turn) => turn.outputs.filter(({ type }: { type: string }) => type === "reply"));
  // A mobile that has waited for long has asked again.
  expect([...new Set(replies.map(({ payload }) => payload.slice(0, 4)))]).toEqual(["0300", "0381"]);
});

test("a recording without keys has none, and is replayed with those of the configuration", async () => {
  await using daemon = await LoneDaemon.start();
  await record(daemon);
  const file = daemon.path("recording");
  const bytes = readFileSync(file);
  for (const secret of ["1234567812345678", "0123456789abcdef0123456789abcdef"])
    expect(bytes.includes(secret)).toBe(false);
  const alone = await anyhome(["replay", file]);
  expect(alone).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("has no keys") });
  expect(await anyhome(["replay", file, "-c", daemon.path("anyhome.yaml")])).toMatchObject({ exitCode: 0, stderr: "" });
});

test("a replay tells where it comes out otherwise, and what is no recording", async () => {
  await using daemon = await LoneDaemon.start();
  await record(daemon);
  const file = daemon.path("recording");
  daemon.configure("other.yaml", {
    "security-associations": { mobiles: [{ range: "10.64.1.0-10.79.255.254", spi: 256, key: "8765432187654321" }] },
  });
  const other = await anyhome(["replay", file, "-c", daemon.path("other.yaml")]);
  expect(other).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/the outputs differ from turn \d+ on/) });
  writeFileSync(file, readFileSync(file).subarray(100));
  expect(await anyhome(["replay", file])).toMatchObject({
    exitCode: 1,
    stderr: expect.stringMatching(/recording: this is no recording/),
  });
});

test("a recording is made where there is no file, or the daemon doesn't start", async () => {
  await using daemon = await LoneDaemon.start();
  await daemon.stop("SIGTERM");
  writeFileSync(daemon.path("precious"), "precious");
  const refused = await anyhome(["run", "-c", daemon.path("anyhome.yaml"), "--record", daemon.path("precious")]);
  expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("EEXIST") });
  expect(readFileSync(daemon.path("precious"), "utf8")).toBe("precious");
});
