/** The command line speaks to whatever listens on the socket, and shows what others have said: names, reasons, texts of routers. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { statusView } from "../../src/adapters/api/members.ts";
import { ControlError } from "../../src/adapters/api/requests.ts";
import { ask } from "../../src/cli/control-client.ts";
import { alice, FakeService, peers, reloaded, routes, status } from "../adapters/api/fake-service.ts";
import { fakeDaemon } from "./fake-daemon.ts";

const HOSTILE = "\u001b]0;title\u0007\u001b[2J\u009b31m\r\nforged\u202e";
const COMMANDS = /(?!\n)\p{Cc}/u;

function hostileService(): FakeService {
  const service = new FakeService(0);
  service.all.push({ ...alice, nai: HOSTILE, owner: HOSTILE, foreignAgent: HOSTILE });
  service.status = () => ({
    ...status,
    node: HOSTILE,
    reasons: [HOSTILE],
    alarms: [{ id: HOSTILE, since: "2099-01-02T03:04:05.000Z", message: HOSTILE }],
    checks: status.checks.map((check) => ({ ...check, reason: HOSTILE })),
  });
  service.peers = () => peers.map((peer) => ({ ...peer, id: HOSTILE }));
  service.routes = () => ({
    ...routes,
    lastError: HOSTILE,
    neighbors: routes.neighbors.map((neighbor) => ({ ...neighbor, reason: HOSTILE })),
  });
  service.counters = () => ({ [HOSTILE]: { [HOSTILE]: 1 } });
  service.reload = async () => ({ ...reloaded, problems: [HOSTILE] });
  return service;
}

const commands = ["status", "peers", "routes", "counters", "reload", "bindings list", "bindings show 10.79.0.1"];

describe.concurrent("no answer commands the terminal:", () => {
  test.each(commands)("%s", async (command) => {
    await using daemon = await fakeDaemon(hostileService());
    for (const format of ["table", "json", "yaml"]) {
      const { stdout, stderr } = await daemon.run(...command.split(" "), "-o", format);
      expect(stdout).toContain("title");
      expect(stdout + stderr).not.toMatch(COMMANDS);
      if (format === "json") expect(JSON.stringify(JSON.parse(stdout))).toContain(JSON.stringify(HOSTILE).slice(1, -1));
      if (format === "yaml") expect(JSON.stringify(parse(stdout))).toContain(JSON.stringify(HOSTILE).slice(1, -1));
    }
  });

  test("nor does an error", async () => {
    const service = hostileService();
    service.peers = () => {
      throw new ControlError("unavailable", HOSTILE);
    };
    await using daemon = await fakeDaemon(service);
    const { exitCode, stderr } = await daemon.run("peers");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("title");
    expect(stderr).not.toMatch(COMMANDS);
  });
});

/** Something that takes a request, and then does as it likes. */
async function listening(answer: (socket: Socket) => void) {
  const directory = mkdtempSync(join(tmpdir(), "anyhome-hostile-"));
  const path = join(directory, "control.sock");
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("data", () => answer(socket));
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    path,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      rmSync(directory, { recursive: true });
    },
  };
}

const HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";

test("an answer without end is given up, much as there may be of it", async () => {
  const piece = Buffer.alloc(1 << 20, " ");
  await using daemon = await listening((socket) => {
    socket.write(HEAD);
    const more = () => {
      while (!socket.destroyed && socket.write(piece));
    };
    socket.on("drain", more);
    more();
  });
  await expect(ask(daemon.path, "GET", "/v1/status", statusView, 100_000)).rejects.toThrow("its answer is endless");
});

test("an answer that comes drop by drop is given up in time", async () => {
  await using daemon = await listening((socket) => {
    socket.write(HEAD);
    const drip = setInterval(() => socket.write(" "), 10);
    socket.on("close", () => clearInterval(drip));
  });
  await expect(ask(daemon.path, "GET", "/v1/status", statusView, 500)).rejects.toThrow("no whole answer within 0.5 s");
});
