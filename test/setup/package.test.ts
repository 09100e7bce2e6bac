import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freeUdpPorts } from "../../src/lab/free-port.ts";
import { isInstalled } from "../../src/lab/obstacle.ts";
import { waitFor } from "../../src/lab/wait.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

// It is made with the data plane's programs, or not at all.
const isSkipped = process.env.CI === undefined && !(await isInstalled("clang"));
if (isSkipped) process.stderr.write("\nSKIPPED: the package can't be made, because clang is not installed\n\n");

describe.skipIf(isSkipped)("the package, packed and installed elsewhere", () => {
  let directory: string;
  let anyhome: string;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "anyhome-package-"));
    await npm(ROOT, "pack", "--pack-destination", directory);
    writeFileSync(join(directory, "package.json"), "{}");
    const tarball = join(directory, `anyhome-${version()}.tgz`);
    await npm(directory, "install", "--omit=dev", "--prefer-offline", "--no-audit", "--no-fund", tarball);
    anyhome = join(directory, "node_modules/.bin/anyhome");
  }, 180_000);

  afterAll(() => rmSync(directory, { recursive: true }));

  test("has a command that knows its version", async () => {
    const { stdout } = await execa(anyhome, ["--version"]);
    expect(stdout).toBe(version());
  });

  test("brings the data plane's programs, where they are looked for", () => {
    expect(existsSync(join(directory, "node_modules/anyhome/dist/adapters/dataplane/bpf-forwarder.js"))).toBe(true);
    expect(existsSync(join(directory, "node_modules/anyhome/dist/adapters/dataplane/tunnels.bpf.o"))).toBe(true);
  });

  test("runs a home agent", async () => {
    const config = join(directory, "anyhome.yaml");
    writeFileSync(join(directory, "secret"), "0".repeat(64), { mode: 0o600 });
    const [clusterPort, registrationPort] = await freeUdpPorts(2);
    writeFileSync(
      config,
      `${CONFIG}members:\n- { id: only, address: 127.0.0.1, port: ${clusterPort}, listen: "127.0.0.1:${registrationPort}" }\n`,
      { mode: 0o600 },
    );
    const daemon = execa(anyhome, ["run", "--config", config, "--node", "only"], { reject: false });
    try {
      const ask = () =>
        execa(anyhome, ["status", "-o", "json"], { env: { ANYHOME_SOCKET: join(directory, "control.sock") } });
      const { stdout } = await waitFor(ask, { deadlineMs: 30_000, what: "the daemon to be ready" });
      expect(JSON.parse(stdout)).toMatchObject({ node: "only", ready: true, version: version() });
    } finally {
      daemon.kill("SIGTERM");
    }
    expect((await daemon).exitCode).toBe(0);
  });
});

const CONFIG = `
cluster: packed
secret-file: secret
virtual-network: 10.64.0.0/12
virtual-address: 10.64.0.1
manage-address: false
data-directory: data
control-socket: control.sock
security-associations: { mobiles: [{ range: 10.64.1.0-10.64.1.255, spi: 256, key: "1234567812345678" }] }
`;

function version(): string {
  return JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).version;
}

async function npm(cwd: string, ...args: string[]): Promise<void> {
  // What an npm around the tests says about this checkout is not for an npm that installs elsewhere.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("npm_")));
  await execa("npm", [...args, "--loglevel=error"], { cwd, env, extendEnv: false });
}
