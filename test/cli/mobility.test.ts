/** `anyhome mn` and `anyhome fa` as their users call them, against a home agent that answers as it is told. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CommanderError } from "commander";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { CliError, ExitCode } from "../../src/cli/exit.ts";
import { mnCommand } from "../../src/cli/mn.ts";
import { formatEndpoint, formatIpv4, ipv4 } from "../../src/core/wire/ipv4.ts";
import { RequestFlag } from "../../src/core/wire/registration-message.ts";
import { accepting, FakeHomeAgent, freeEndpoint } from "../mobile/fake-home-agent.ts";
import { association } from "../mobile/fixtures.ts";
import { anyhome } from "./anyhome.ts";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const KEY = "key of 256";

let homeAgent: FakeHomeAgent;
let folder: string;
beforeAll(async () => {
  homeAgent = await FakeHomeAgent.start("127.0.0.4", (request, count) => {
    if (request.homeAddress === ipv4("10.64.1.9")) return { code: 130 };
    if (request.homeAddress === ipv4("10.64.1.10")) return { code: 131, mobileHome: association(256, "another key") };
    return accepting(request, count);
  });
  folder = mkdtempSync(join(tmpdir(), "anyhome-cli-"));
});
afterAll(async () => {
  await homeAgent.stop();
  rmSync(folder, { recursive: true });
});

const environment = () => ({ ANYHOME_HOME_AGENT: formatEndpoint(homeAgent.endpoint), ANYHOME_MN_KEY: KEY });

describe("anyhome mn register", () => {
  test("prints what was granted", async () => {
    const args = ["mn", "register", "--home-address", "10.64.1.5", "--lifetime", "600", "--flags", "t", "-o", "json"];
    const { exitCode, stdout, stderr } = await anyhome(args, environment());
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(JSON.parse(stdout)).toEqual({
      accepted: true,
      code: 0,
      meaning: "registration accepted (0)",
      answeredBy: "home-agent",
      homeAddress: "10.64.1.5",
      nai: null,
      homeAgent: "127.0.0.4",
      careOfAddress: "127.0.0.1",
      flags: "DT",
      lifetime: 600,
      identification: expect.stringMatching(/^0x[0-9a-f]{16}$/),
      requestsSent: 1,
      roundTripMs: expect.any(Number),
      clockOffsetMs: null,
    });
    expect(homeAgent.requests.at(-1)?.request.flags).toBe(RequestFlag.D | RequestFlag.T);
  });

  test("tells people the home address that was assigned", async () => {
    const { stdout } = await anyhome(["mn", "register", "--nai", "alice@lab.example"], environment());
    expect(stdout).toMatch(/^Answer: +registration accepted \(0\)$/m);
    expect(stdout).toMatch(/^Home address: +10\.79\.0\.1$/m);
    expect(stdout).toMatch(/^Lifetime: +30m$/m);
  });

  test("exits with 1 where it is denied, and says why", async () => {
    const { exitCode, stdout, stderr } = await anyhome(
      ["mn", "register", "--home-address", "10.64.1.9", "-o", "json"],
      environment(),
    );
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ accepted: false, code: 130 });
    expect(stderr).toBe("anyhome: denied by the home agent: insufficient resources (130)\n");
  });

  test("exits with 1 where the only answer can't be believed", async () => {
    const { exitCode, stdout, stderr } = await anyhome(
      ["mn", "register", "--home-address", "10.64.1.10", "--tries", "1"],
      environment(),
    );
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toContain("mobile node failed authentication (131). Are SPI and key right?");
  });

  test.each([
    ["--key", KEY],
    ["--key-hex", Buffer.from(KEY).toString("hex")],
    ["--key-file", "mobile.key"],
  ])("takes the key from %s, before the environment's", async (option, value) => {
    const file = join(folder, "mobile.key");
    writeFileSync(file, `${KEY}\n`);
    const key = option === "--key-file" ? file : value;
    const { exitCode } = await anyhome(["mn", "register", "--home-address", "10.64.1.5", option, key], {
      ...environment(),
      ANYHOME_MN_KEY: "not this one",
    });
    expect(exitCode).toBe(0);
  });

  test("takes the key from a file that the environment names", async () => {
    const file = join(folder, "environment.key");
    writeFileSync(file, `${KEY}\n`);
    const { ANYHOME_HOME_AGENT } = environment();
    const variables = { ANYHOME_HOME_AGENT, ANYHOME_MN_KEY_FILE: file };
    expect((await anyhome(["mn", "register", "--home-address", "10.64.1.5"], variables)).exitCode).toBe(0);
  });
});

describe("anyhome mn deregister", () => {
  const last = () => homeAgent.requests.at(-1)?.request;

  test("ends this care-of address, or that of the option", async () => {
    const args = ["mn", "deregister", "--home-address", "10.64.1.5"];
    expect((await anyhome(args, environment())).exitCode).toBe(0);
    expect(last()).toMatchObject({ lifetimeSeconds: 0, careOfAddress: ipv4("127.0.0.1") });
    await anyhome([...args, "--care-of-address", "192.0.2.9"], environment());
    expect(last()).toMatchObject({ lifetimeSeconds: 0, careOfAddress: ipv4("192.0.2.9") });
  });

  test("ends all by naming the home address as care-of address", async () => {
    await anyhome(["mn", "deregister", "--all", "--home-address", "10.64.1.5"], environment());
    expect(last()).toMatchObject({ lifetimeSeconds: 0, careOfAddress: ipv4("10.64.1.5") });
  });
});

/** Gives the arguments to `anyhome mn` without a process of its own; answers what it throws, and what it printed. */
async function mn(args: readonly string[]): Promise<{ error: unknown; output: string }> {
  const group = mnCommand();
  let output = "";
  const writeOut = (text: string) => {
    output += text;
  };
  for (const command of [group, ...group.commands]) command.exitOverride().configureOutput({ writeOut, writeErr() {} });
  try {
    await group.parseAsync([...args], { from: "user" });
    return { error: undefined, output };
  } catch (error) {
    return { error, output };
  }
}

describe("wrong usage is refused with an explanation", () => {
  test.each([
    ["no mobile", ["register", "--home-agent", "127.0.0.4", "--key", "k"], "which mobile?"],
    [
      "no home agent",
      ["register", "--home-address", "10.64.1.5", "--key", "k"],
      "'--home-agent <address>' not specified",
    ],
    ["no key", ["register", "--home-agent", "127.0.0.4", "--home-address", "10.64.1.5"], "a key is needed"],
    ["a bad address", ["register", "--home-address", "10.64.1.555"], "Expected an IPv4 address"],
    ["an address of nobody", ["register", "--home-agent", "0.0.0.0"], "Expected the IPv4 address of a host"],
    ["an address of many", ["register", "--local-address", "224.0.0.11"], "Expected the IPv4 address of a host"],
    ["a bad endpoint", ["register", "--home-agent", "10.64.0.1:0"], "Expected a whole number from 1 to 65535"],
    ["a bad NAI", ["register", "--nai", "no spaces"], "Expected a network access identifier"],
    ["bad flags", ["register", "--flags", "Z"], "Expected letters among SBDMGT"],
    ["a reserved SPI", ["register", "--spi", "255"], "Expected a whole number from 256"],
    [
      "half a hexadecimal digit",
      ["register", "--home-agent", "127.0.0.4", "--home-address", "10.64.1.5", "--key-hex", "abc"],
      "--key-hex: the key is not pairs of hexadecimal digits",
    ],
    [
      "hexadecimal digits as text",
      ["register", "--home-agent", "127.0.0.4", "--home-address", "10.64.1.5", "--key", "hex:00112233"],
      "a key that has to be so is given by --key-hex",
    ],
    [
      "text that was no UTF-8",
      ["register", "--home-agent", "127.0.0.4", "--home-address", "10.64.1.5", "--key", "schl\ufffdssel"],
      "has a character that can't be seen (U+FFFD)",
    ],
    [
      "two keys",
      ["register", "--home-agent", "127.0.0.4", "--home-address", "10.64.1.5", "--key-hex", "ab", "--key", "k"],
      "is enough",
    ],
    [
      "all of nobody",
      ["deregister", "--all", "--nai", "a@b", "--home-agent", "127.0.0.4", "--key", "k"],
      "--all needs --home-address",
    ],
    ["no mobiles", ["load", "--home-agent", "127.0.0.4", "--key", "k"], "which mobiles?"],
    [
      "addresses that run out",
      ["load", "--home-agent", "127.0.0.4", "--key", "k", "--first-home-address", "255.255.255.0"],
      "there are no 1000 addresses",
    ],
    [
      "a pattern without braces",
      ["load", "--home-agent", "127.0.0.4", "--key", "k", "--nai-pattern", "a@b"],
      "expected an NAI with {} once",
    ],
    ["an infinite rate", ["load", "--rate", "0"], "Expected a number greater than 0"],
  ])("%s", async (_what, args, message) => {
    const { error } = await mn(args);
    // Both exit with 2: what commander refuses, and what only the command can judge.
    expect(error instanceof CommanderError || (error instanceof CliError && error.exitCode === ExitCode.usage)).toBe(
      true,
    );
    expect(error).toHaveProperty("message", expect.stringContaining(message));
  });

  test("and exits with 2", async () => {
    const { exitCode, stdout, stderr } = await anyhome(["mn", "register", "--home-agent", "127.0.0.4", "--key", "k"]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toContain("which mobile?");
  });
});

test.each(["register", "deregister", "load"])("the help of anyhome mn %s has an example", async (command) => {
  const { error, output } = await mn([command, "--help"]);
  expect(error).toMatchObject({ exitCode: 0 });
  expect(output).toMatch(new RegExp(`Examples?:\n  anyhome mn ${command}`));
});

describe("anyhome fa run", () => {
  test("relays until it is interrupted, and then tells what it did", async () => {
    const endpoint = await freeEndpoint("127.0.0.5");
    const careOfAddress = formatIpv4(endpoint.address);
    const args = ["fa", "run", "--care-of-address", careOfAddress, "--port", String(endpoint.port), "-o", "json"];
    const agent = spawn(process.execPath, [MAIN, ...args, "--home-agent-port", String(homeAgent.endpoint.port)]);
    const [output, messages] = [collect(agent.stdout), collect(agent.stderr)];
    try {
      await vi.waitFor(() => expect(messages()).toContain(`listens on ${formatEndpoint(endpoint)}`), 10_000);
      const through = { ...environment(), ANYHOME_FOREIGN_AGENT: formatEndpoint(endpoint) };
      const registered = await anyhome(["mn", "register", "--home-address", "10.64.1.5", "-o", "json"], through);
      expect(JSON.parse(registered.stdout)).toMatchObject({ accepted: true, careOfAddress, flags: "" });
      const loaded = await anyhome(
        ["mn", "load", "--first-home-address", "10.64.2.0", "--mobiles", "50", "-o", "json"],
        through,
      );
      expect(loaded.exitCode).toBe(0);
      expect(JSON.parse(loaded.stdout)).toMatchObject({
        mobiles: 50,
        sent: 50,
        accepted: 50,
        denied: {},
        unanswered: 0,
      });
      agent.kill("SIGUSR2");
      await vi.waitFor(() => expect(JSON.parse(output()).visitors).toHaveLength(51), 10_000);
    } finally {
      agent.kill("SIGINT");
    }
    const exitCode = await new Promise((resolve) => agent.once("close", resolve));
    expect(exitCode).toBe(0);
    const [, final = ""] = output().split(/^(?=\{)/m);
    expect(JSON.parse(final)).toMatchObject({
      careOfAddress,
      pending: 0,
      counters: { requestsRelayed: 51, repliesRelayed: 51, denied: {}, dropped: {} },
    });
  });

  test("says so where an address can't be had", async () => {
    const { exitCode, stderr } = await anyhome(["fa", "run", "--care-of-address", "192.0.2.1", "--port", "4434"]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("EADDRNOTAVAIL 192.0.2.1:4434: this host has no such address");
  });
});

/** What a stream has said so far. */
function collect(stream: NodeJS.ReadableStream): () => string {
  let text = "";
  stream.on("data", (chunk) => {
    text += chunk;
  });
  return () => text;
}
