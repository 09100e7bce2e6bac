import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serveControlApi } from "../../src/adapters/api/server.ts";
import { FakeService } from "../adapters/api/fake-service.ts";
import { anyhome, type Run } from "./anyhome.ts";

/** A control API with a fake behind it, and the command line that talks to it. */
export interface FakeDaemon extends AsyncDisposable {
  readonly socket: string;
  readonly service: FakeService;
  run(...args: string[]): Promise<Run>;
}

export async function fakeDaemon(service = new FakeService()): Promise<FakeDaemon> {
  const directory = mkdtempSync(join(tmpdir(), "anyhome-cli-"));
  const socket = join(directory, "control.sock");
  const api = await serveControlApi(service, { socketPath: socket, log: { event: () => undefined } });
  return {
    socket,
    service,
    run: (...args) => anyhome(args, { ANYHOME_SOCKET: socket }),
    async [Symbol.asyncDispose]() {
      await api.close();
      rmSync(directory, { recursive: true });
    },
  };
}
