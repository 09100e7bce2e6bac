import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { notInstalled } from "../../src/setup/debian-packages.mjs";

const SETUP = fileURLToPath(new URL("../../src/setup/setup.mjs", import.meta.url));
const POLICY_FILE = "/usr/sbin/policy-rc.d";

test("a package counts as there only when it is installed, not when it is known or half removed", () => {
  const listing = ["exabgp installed", "frr config-files", "dpkg-query: no packages found matching tshark", ""].join(
    "\n",
  );
  expect(notInstalled(["exabgp", "frr", "tshark"], listing)).toEqual(["frr", "tshark"]);
});

const aptIsOurs = process.platform === "linux" && process.getuid?.() === 0 && existsSync("/usr/bin/apt-get");

describe.runIf(aptIsOurs)("installing Debian packages, with stand-ins for dpkg-query and apt-get", () => {
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "anyhome-setup-"));
    command("dpkg-query", "echo 'iproute2 installed'; exit 1");
    command("systemctl", 'echo "systemctl $*" >> "$CALLS"');
  });

  afterEach(() => rmSync(directory, { recursive: true }));

  test("an outdated package list is updated, then the packages are installed, quietly and without starting services", async () => {
    const policyBefore = existsSync(POLICY_FILE);
    command(
      "apt-get",
      `echo "$DEBIAN_FRONTEND $([ -x ${POLICY_FILE} ] && echo held) $*" >> "$CALLS"; grep -q update "$CALLS"`,
    );
    const { code, output } = await setUp("demo");
    expect(code).toBe(0);
    expect(output).toContain("installing Debian packages: exabgp frr procps util-linux");
    const install = "install --yes --no-install-recommends exabgp frr procps util-linux clang iputils-ping libbpf-dev";
    expect(calls()).toEqual([
      `noninteractive held -o DPkg::Lock::Timeout=120 ${install}`,
      "noninteractive held -o DPkg::Lock::Timeout=120 update",
      `noninteractive held -o DPkg::Lock::Timeout=120 ${install}`,
      "systemctl disable exabgp.service",
      "systemctl disable frr.service",
    ]);
    expect(existsSync(POLICY_FILE)).toBe(policyBefore);
  });

  test("packages that can't be had are no failure of the set-up: it says what will be left out", async () => {
    command("apt-get", "echo 'E: no such package'; exit 100");
    const { code, output } = await setUp("demo");
    expect(code).toBe(0);
    expect(output).toContain("E: no such package");
    expect(output).toContain("apt-get could not install exabgp frr procps util-linux");
    expect(output).toContain("the demo will run on loopback, without routers");
  });

  function command(name: string, script: string): void {
    writeFileSync(join(directory, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }

  function calls(): string[] {
    return readFileSync(join(directory, "calls"), "utf8").trimEnd().split("\n");
  }

  function setUp(purpose: string): Promise<{ code: number; output: string }> {
    const env = { ...process.env, PATH: `${directory}:${process.env.PATH}`, CALLS: join(directory, "calls") };
    return new Promise((resolve) => {
      execFile(process.execPath, [SETUP, purpose], { env }, (error, stdout, stderr) =>
        resolve({ code: Number(error?.code ?? 0), output: stdout + stderr }),
      );
    });
  }
});
