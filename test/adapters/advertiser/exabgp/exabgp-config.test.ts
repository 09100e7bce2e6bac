import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import {
  type BgpOptions,
  exabgpConfig,
  exabgpEnvironment,
} from "../../../../src/adapters/advertiser/exabgp/exabgp-config.ts";
import { ipv4 } from "../../../../src/core/wire/ipv4.ts";
import { exabgpObstacle } from "./exabgp-obstacle.ts";

const HELPER = [
  "/usr/bin/env",
  "python3",
  "/run/anyhome/exabgp/anyhome_exabgp.py",
  "--socket",
  "/run/anyhome/helper.sock",
];

const ONE_ROUTER: BgpOptions = {
  localAddress: ipv4("192.0.2.11"),
  localAs: 65011,
  routerId: ipv4("10.0.0.11"),
  neighbors: [{ address: ipv4("192.0.2.1"), as: 65001 }],
};

const TWO_ROUTERS: BgpOptions = {
  ...ONE_ROUTER,
  localAs: 4_200_000_011,
  holdTimeSeconds: 3,
  neighbors: [
    { address: ipv4("192.0.2.1"), as: 4_200_000_001, md5Key: "a\"b'c\\d;e{f}#gß" },
    { address: ipv4("192.0.2.2"), as: 4_200_000_011, port: 1790 },
  ],
};

test("the configuration of one router", () => {
  expect(exabgpConfig(ONE_ROUTER, HELPER)).toBe(`process anyhome {
  run "/usr/bin/env" "python3" "/run/anyhome/exabgp/anyhome_exabgp.py" "--socket" "/run/anyhome/helper.sock";
  encoder json;
  respawn true;
}

neighbor 192.0.2.1 {
  router-id 10.0.0.11;
  local-address 192.0.2.11;
  local-as 65011;
  peer-as 65001;
  hold-time 9;
  family {
    ipv4 unicast;
  }
  capability {
    graceful-restart disable;
    route-refresh disable;
    add-path receive;
  }
  add-path {
    ipv4 unicast;
  }
  api {
    processes [ anyhome ];
    neighbor-changes;
    negotiated;
    receive {
      parsed;
      update;
    }
  }
}
`);
});

test("each neighbor has a section, with its own port and key", () => {
  const sections = exabgpConfig(TWO_ROUTERS, HELPER).split("\nneighbor ").slice(1);
  expect(sections).toHaveLength(2);
  expect(sections[0]).toContain(`  md5-base64 true;\n  md5-password "${btoa("a\"b'c\\d;e{f}#g\xc3\x9f")}";`);
  expect(sections[1]).toContain("  connect 1790;");
  expect(sections[1]).not.toContain("md5");
});

test("the environment leaves nothing to the machine's own", () => {
  expect(exabgpEnvironment("exabgp")).toBe(`[exabgp.api]
ack = true
cli = false
[exabgp.daemon]
daemonize = false
user = 'exabgp'
[exabgp.log]
destination = 'stderr'
level = WARNING
short = true
[exabgp.tcp]
bind = ''
`);
});

test.each<[string, Partial<BgpOptions>]>([
  ["no neighbor", { neighbors: [] }],
  ["a neighbor twice", { neighbors: [...ONE_ROUTER.neighbors, ...ONE_ROUTER.neighbors] }],
  ["a hold time of 2 s", { holdTimeSeconds: 2 }],
  ["a hold time of 65536 s", { holdTimeSeconds: 65_536 }],
  ["AS 0", { localAs: 0 }],
  ["an AS that is no integer", { neighbors: [{ address: ipv4("192.0.2.1"), as: 1.5 }] }],
  ["port 0", { neighbors: [{ address: ipv4("192.0.2.1"), as: 1, port: 0 }] }],
  ["an empty key", { neighbors: [{ address: ipv4("192.0.2.1"), as: 1, md5Key: "" }] }],
  ["a key of 81 bytes", { neighbors: [{ address: ipv4("192.0.2.1"), as: 1, md5Key: "k".repeat(81) }] }],
])("%s is refused", (_, options) => {
  expect(() => exabgpConfig({ ...ONE_ROUTER, ...options }, HELPER)).toThrow(RangeError);
});

test.each(['a "', "a '", "a line\nfeed", "a NUL\0"])("a path that can't be quoted is refused: %j", (path) => {
  expect(() => exabgpConfig(ONE_ROUTER, [path])).toThrow(RangeError);
});

describe.skipIf(exabgpObstacle !== undefined && !process.env.CI)("ExaBGP itself", () => {
  /** The words of the `run` line as ExaBGP's own parser understands them, or what it says against the file. */
  async function parsed(config: string): Promise<string[]> {
    const directory = mkdtempSync(join(tmpdir(), "anyhome-exabgp-"));
    try {
      writeFileSync(join(directory, "exabgp.conf"), config);
      writeFileSync(join(directory, "exabgp.env"), exabgpEnvironment("nobody"));
      const script = `import json, sys
from exabgp.configuration.setup import environment
environment.setup(sys.argv[2])
from exabgp.configuration.configuration import Configuration
configuration = Configuration([sys.argv[1]])
if not configuration.reload():
    sys.exit(str(configuration.error))
print(json.dumps(configuration.processes["anyhome"]["run"]))`;
      const { stdout } = await execa("/usr/bin/python3", [
        "-c",
        script,
        join(directory, "exabgp.conf"),
        join(directory, "exabgp.env"),
      ]);
      return JSON.parse(stdout.split("\n").at(-1) ?? "");
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }

  test.each([ONE_ROUTER, TWO_ROUTERS])("takes the configuration", async (options) => {
    expect(await parsed(exabgpConfig(options, HELPER))).toEqual(HELPER);
  });

  test("understands words of any kind as they were meant", async () => {
    const words = ["/usr/bin/env", "a b", "c;d{e}#f", "k\\n\\l", "[m,n]", "ö"];
    expect(await parsed(exabgpConfig(ONE_ROUTER, words))).toEqual(words);
  });
});
