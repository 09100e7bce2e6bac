import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Connections } from "../../../src/adapters/api/connections.ts";

test("who doesn't read the answer in time is hung up on", async () => {
  const directory = mkdtempSync(join(tmpdir(), "anyhome-connections-"));
  const server = createServer();
  const connections = new Connections(server, { connections: 64, answerMs: 100 });
  const closed = new Promise((resolve) => {
    server.on("connection", (socket: Socket) => {
      socket.on("error", () => undefined);
      socket.once("close", resolve);
      socket.write(Buffer.alloc(1 << 24));
      connections.answered(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(join(directory, "socket"), resolve));
  const client = connect(join(directory, "socket")).pause();
  await closed;
  client.destroy();
  expect(await new Promise((resolve) => server.close(resolve))).toBeUndefined();
  rmSync(directory, { recursive: true });
});
