import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { checkConfig } from "../../src/config/check.ts";
import { formatProblem } from "../../src/config/problem.ts";

/** A small configuration without problems. */
export const minimal = `cluster: lab
secret-file: cluster.secret
virtual-network: 10.64.0.0/12
virtual-address: 10.64.0.1
members:
  - id: ha1
    address: 10.1.0.11
  - id: ha2
    address: 10.1.0.12
security-associations:
  mobiles:
    - { range: 10.64.1.0-10.79.255.254, spi: 256, key: "1234567812345678" }
`;

/** A directory with configuration files that only their owner can read. */
export class ConfigDirectory implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "anyhome-config-"));

  constructor(files: Readonly<Record<string, string | Uint8Array>> = {}) {
    this.write("cluster.secret", "0123456789abcdef0123456789abcdef\n");
    for (const [name, content] of Object.entries(files)) this.write(name, content);
  }

  /** Resolves with the path of the file. */
  write(name: string, content: string | Uint8Array, mode = 0o600): string {
    const file = join(this.path, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content, { mode });
    return file;
  }

  /** What is wrong with a configuration, one line each, without this directory's path. */
  problems(yaml: string, node?: string): string[] {
    const problems = checkConfig(this.write("anyhome.yaml", yaml), { node });
    return problems.map((problem) => formatProblem(problem).replaceAll(`${this.path}/`, ""));
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}
