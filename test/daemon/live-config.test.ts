import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { stringify } from "yaml";
import { Counters } from "../../src/adapters/telemetry/counters.ts";
import { type LoadedConfig, loadConfig } from "../../src/config/load.ts";
import { LiveConfig } from "../../src/daemon/live-config.ts";
import { waitFor } from "../../src/lab/wait.ts";

const directory = mkdtempSync(join(tmpdir(), "anyhome-live-config-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** As the file is with that log level. */
function configuration(level: string): LoadedConfig {
  const file = join(directory, "anyhome.yaml");
  writeFileSync(join(directory, "secret"), "0123456789abcdef0123456789abcdef", { mode: 0o600 });
  const config = {
    cluster: "alone",
    "secret-file": "secret",
    node: "ha1",
    "virtual-network": "10.64.0.0/12",
    "virtual-address": "10.64.0.1",
    members: [{ id: "ha1", address: "192.0.2.1" }],
    log: { level },
  };
  writeFileSync(file, stringify(config), { mode: 0o600 });
  return loadConfig(file);
}

test("however often it is asked for while one is read, the file is read once more, and all get what is in it then", async () => {
  const [before, after] = [configuration("info"), configuration("warn")];
  let now = before;
  const waiting: (() => void)[] = [];
  let loads = 0;
  const live = new LiveConfig({
    loaded: before,
    load: async () => {
      loads += 1;
      await new Promise<void>((resolve) => waiting.push(resolve));
      return now;
    },
    log: { event: () => undefined },
    counters: new Counters(),
  });
  const first = live.reload();
  await waitFor(() => waiting.length === 1, { deadlineMs: 30_000, what: "the file to be read", intervalMs: 1 });
  const later = Array.from({ length: 1000 }, () => live.reload());
  const checks = Array.from({ length: 1000 }, () => live.reload(true));
  waiting.shift()?.();
  expect((await first).outcome).toBe("unchanged");
  now = after;
  for (let more = 0; more < 2; more++) {
    await waitFor(() => waiting.length === 1, { deadlineMs: 30_000, what: "the file to be read", intervalMs: 1 });
    waiting.shift()?.();
  }
  expect(new Set((await Promise.all(later)).map(({ outcome }) => outcome))).toEqual(new Set(["applied"]));
  expect(new Set((await Promise.all(checks)).map(({ checked }) => checked))).toEqual(new Set([true]));
  expect(loads).toBe(3);
  expect(live.current.log.level).toBe("warn");
});
