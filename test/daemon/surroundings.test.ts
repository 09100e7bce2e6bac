/** However it was started, the daemon and its children find what they depend on. */
import { readlinkSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import type { StatusView } from "../../src/adapters/api/members.ts";
import { waitFor } from "../../src/lab/wait.ts";
import { type Launch, LoneDaemon } from "./lone-daemon.ts";

/** Runs the daemon by a script that makes its surroundings, and replaces itself by it. */
function by(script: string): Launch {
  return ([file, ...args], directory) =>
    execa("sh", ["-c", script, "sh", file, ...args], {
      stdin: "ignore",
      stdout: { file: `${directory}/log`, append: true },
      stderr: "inherit",
      reject: false,
    });
}

const BLOCKING =
  "import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32)); os.execv(sys.argv[1], sys.argv[1:])";

/** What a child of the daemon finds. */
const LOOK = 'echo "umask $(umask) in $PWD by $(command -v ip) locale $LANG home $(printenv HOME || echo none)"';

test.each<[string, string]>([
  ["with a umask that keeps out all others", 'umask 077; exec "$@"'],
  ["with a umask that lets everyone write", 'umask 000; exec "$@"'],
  ["in another language and time zone", 'LC_ALL=tr_TR.UTF-8 LANG=de_DE.ISO-8859-1 TZ=Asia/Kathmandu exec "$@"'],
  ["without any variable", 'exec env -i "$@"'],
  ["with an empty search path", 'PATH= exec "$@"'],
  ["in a directory that is removed", 'd=$(mktemp -d); cd "$d"; rmdir "$d"; exec "$@"'],
  ["with all signals ignored, as by nohup", 'trap "" HUP INT QUIT TERM PIPE CHLD USR1 USR2; exec "$@"'],
  ["with all signals blocked", `exec python3 -c '${BLOCKING}' "$@"`],
  ["without stdin, and with descriptors of others", 'exec "$@" <&- 8</dev/null 9</dev/null'],
  ["with a low limit of open files", 'ulimit -S -n 32; exec "$@"'],
])("a daemon started %s serves, reloads, stops, and its children find what they depend on", async (_, script) => {
  await using daemon = await LoneDaemon.start(by(script), {
    "control-socket": "control.sock",
    health: { exec: [{ name: "surroundings", command: ["sh", "-c", LOOK] }] },
  });
  expect(await daemon.register("10.64.1.1")).toBe(0);
  const status = async () => (await daemon.ask("status")) as StatusView;
  const { checks } = await status();
  expect(checks.find(({ name }) => name === "surroundings")?.reason).toMatch(
    /^umask 0022 in \/ by \/\S*\/ip locale C.UTF-8 home none$/,
  );
  expect(readlinkSync(`/proc/${daemon.pid}/cwd`)).toBe("/");
  expect(statSync(daemon.path("control.sock")).mode & 0o777).toBe(0o600);
  expect(statSync(daemon.path("data")).mode & 0o777).toBe(0o700);
  expect(daemon.log.every(({ time }) => time.endsWith("Z"))).toBe(true);
  process.kill(daemon.pid, "SIGHUP");
  await waitFor(async () => (await status()).lastReload !== null, { deadlineMs: 30_000, what: "a reload by SIGHUP" });
  expect((await status()).lastReload?.outcome).toBe("unchanged");
  expect(await daemon.stop("SIGTERM")).toBe(0);
});

test.each(["077", "000"])(
  "directories that it makes for others are passable, and writable for none, with umask %s",
  async (mask) => {
    const made = "made/by/daemon/control.sock";
    await using daemon = await LoneDaemon.start(by(`umask ${mask}; exec "$@"`));
    daemon.configure("elsewhere.yaml", { "control-socket": made, "data-directory": "elsewhere" });
    await daemon.stop("SIGTERM");
    const running = by(`umask ${mask}; exec "$@"`)(LoneDaemon.command(daemon.path("elsewhere.yaml")), daemon.directory);
    await waitFor(() => statSync(daemon.path(made)).isSocket(), { deadlineMs: 60_000, what: "the socket" });
    for (let path = dirname(made); path !== "."; path = dirname(path)) {
      expect([path, statSync(daemon.path(path)).mode & 0o777]).toEqual([path, 0o755]);
    }
    running.kill("SIGTERM");
    await running;
  },
);
