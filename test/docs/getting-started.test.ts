/** The file that a newcomer is told to write can be used as it is. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { loadConfig } from "../../src/config/load.ts";

test("the least file of docs/getting-started.md is a configuration, for each of its members", () => {
  const page = readFileSync("docs/getting-started.md", "utf8");
  const sample = /^ *```yaml\n(.*?)^ *```/ms.exec(page)?.[1] ?? "";
  const directory = mkdtempSync(join(tmpdir(), "anyhome-getting-started-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const write = (name: string, text: string) => writeFileSync(join(directory, name), text, { mode: 0o600 });
  write("anyhome.yaml", sample);
  write("cluster.secret", "0123456789abcdef0123456789abcdef\n");
  write("mobiles.key", "a key of all mobiles");
  for (const node of ["ha1", "ha2", "ha3"]) {
    const { config, warnings } = loadConfig(join(directory, "anyhome.yaml"), { node });
    expect({ node: config.node, warnings }).toEqual({ node, warnings: [] });
  }
});
