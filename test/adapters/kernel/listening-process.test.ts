import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { listeningProcess } from "../../../src/adapters/kernel/listening-process.ts";

test.runIf(process.platform === "linux")("the process that listens on a socket is known by its socket", async () => {
  const directory = mkdtempSync(join(tmpdir(), "anyhome-listening-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "socket");
  await expect(listeningProcess(path)).rejects.toMatchObject({ code: "ENOENT" });
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(() => void server.close());
  expect(await listeningProcess(path)).toBe(process.pid);
});
