/** Mobile nodes, a foreign agent and a home agent that exchange real datagrams, on loopback addresses. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { joinIdentification } from "../../src/core/wire/identification.ts";
import { type Endpoint, type Ipv4Address, ipv4, UNSPECIFIED } from "../../src/core/wire/ipv4.ts";
import { ntpFromEpochMs } from "../../src/core/wire/ntp-timestamp.ts";
import { INFINITE_LIFETIME, RequestFlag } from "../../src/core/wire/registration-message.ts";
import type { ForeignAgentPolicy } from "../../src/mobile/foreign-agent-checks.ts";
import { ForeignAgentService } from "../../src/mobile/foreign-agent-service.ts";
import { IdentificationSource, type ReplayStyle } from "../../src/mobile/identification-source.ts";
import { keepRegistered } from "../../src/mobile/keep-registered.ts";
import { localAddressToward } from "../../src/mobile/local-address.ts";
import { random32, register } from "../../src/mobile/register.ts";
import { type LoadReport, runLoad } from "../../src/mobile/run-load.ts";
import { accepting, type Behaviour, FakeHomeAgent, freeEndpoint } from "./fake-home-agent.ts";
import { association, foreignHome, homeAddress, mobileForeign, mobileHome, typesOf } from "./fixtures.ts";

const LOCAL = { address: ipv4("127.0.0.1"), port: 0 };

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function homeAgentThat(behaviour: Behaviour): Promise<FakeHomeAgent> {
  const agent = await FakeHomeAgent.start("127.0.0.3", behaviour);
  cleanups.push(() => agent.stop());
  return agent;
}

async function foreignAgentFor(homeAgent: FakeHomeAgent, policy: Partial<ForeignAgentPolicy> = {}, logFile?: string) {
  const relayFrom = await freeEndpoint("127.0.0.2");
  const service = await ForeignAgentService.start(
    {
      policy: {
        careOfAddress: relayFrom.address,
        maximumLifetimeSeconds: INFINITE_LIFETIME,
        minimalEncapsulation: true,
        greEncapsulation: true,
        homeAgentAssociation: undefined,
        mobileAssociation: undefined,
        ...policy,
      },
      listen: [],
      relayFrom,
      homeAgentPort: homeAgent.endpoint.port,
      maximumPending: 1000,
      maximumVisitors: 1000,
    },
    logFile,
  );
  cleanups.push(() => service.stop());
  return { service, endpoint: relayFrom };
}

function temporaryFile(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), "anyhome-mobile-"));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  return join(folder, name);
}

function readLines(file: string): unknown[] {
  return readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

function orderFor(homeAgent: FakeHomeAgent, careOfAddress: Ipv4Address = LOCAL.address) {
  const { address } = homeAgent.endpoint;
  return { flags: 0, lifetimeSeconds: 600, homeAddress, homeAgent: address, careOfAddress, nai: undefined };
}

function settingsFor(target: Endpoint, replayStyle: ReplayStyle = "timestamps") {
  const associations = { homeAgent: mobileHome, foreignAgent: undefined };
  return { target, local: LOCAL, associations, replayStyle, maximumTries: 3 };
}

describe("a mobile that keeps itself registered", () => {
  test("registers again when half of the lifetime that it was granted is over, and deregisters in the end", async () => {
    const homeAgent = await homeAgentThat(({ lifetimeSeconds }) => ({ lifetimeSeconds: Math.min(lifetimeSeconds, 2) }));
    const ending = new AbortController();
    let accepted = 0;
    await keepRegistered(orderFor(homeAgent), settingsFor(homeAgent.endpoint), {
      accepted() {
        accepted += 1;
        if (accepted === 2) ending.abort();
      },
      failed: () => expect.unreachable("it was accepted"),
      signal: ending.signal,
    });
    expect(homeAgent.requests.map(({ request }) => request.lifetimeSeconds)).toEqual([600, 600, 0]);
  });

  test("tells that it was denied", async () => {
    const homeAgent = await homeAgentThat(() => ({ code: 129 }));
    const ending = new AbortController();
    const codes: (number | undefined)[] = [];
    await keepRegistered(orderFor(homeAgent), settingsFor(homeAgent.endpoint), {
      accepted: () => expect.unreachable("it was denied"),
      failed({ result }) {
        codes.push(result.kind === "answered" ? result.reply.code : undefined);
        ending.abort();
      },
      signal: ending.signal,
    });
    expect(codes).toEqual([129]);
  });
});

describe("a mobile registers", () => {
  test("through a foreign agent, with all three associations", async () => {
    const homeAgent = await homeAgentThat(() => ({ lifetimeSeconds: 300, foreignHome }));
    const logFile = temporaryFile("relayed.ndjson");
    const policy = { homeAgentAssociation: foreignHome, mobileAssociation: mobileForeign };
    const { service, endpoint } = await foreignAgentFor(homeAgent, policy, logFile);
    const associations = { homeAgent: mobileHome, foreignAgent: mobileForeign };
    const { result, requestsSent } = await register(orderFor(homeAgent, endpoint.address), {
      ...settingsFor(endpoint),
      associations,
    });
    expect(result).toMatchObject({ kind: "answered", reply: { code: 0, lifetimeSeconds: 300, homeAddress } });
    expect(requestsSent).toBe(1);
    const [arrived] = homeAgent.requests;
    expect(arrived?.source).toEqual(endpoint);
    expect(arrived && typesOf(arrived.request)).toEqual([32, 34]);
    expect(service.agent.visitors).toMatchObject([{ homeAddress, lifetimeSeconds: 300 }]);
    await service.stop();
    expect(readLines(logFile)).toMatchObject([
      { event: "request-relayed", homeAddress: "10.64.1.5", lifetime: 600 },
      { event: "reply-relayed", homeAddress: "10.64.1.5", lifetime: 300, code: 0 },
    ]);
  });

  test("straight with its home agent, and gets a home address", async () => {
    const homeAgent = await homeAgentThat(accepting);
    const order = { ...orderFor(homeAgent), homeAddress: UNSPECIFIED, nai: "alice@example.com", flags: RequestFlag.D };
    const { result } = await register(order, settingsFor(homeAgent.endpoint));
    expect(result).toMatchObject({ kind: "answered", reply: { code: 0, homeAddress: ipv4("10.79.0.1") } });
  });

  test("again, when its first request is lost", async () => {
    const homeAgent = await homeAgentThat((_request, count) => (count === 1 ? undefined : {}));
    const { result, requestsSent } = await register(orderFor(homeAgent), settingsFor(homeAgent.endpoint));
    expect(result).toMatchObject({ kind: "answered", reply: { code: 0 } });
    expect(requestsSent).toBe(2);
    const [first, second] = homeAgent.requests.map(({ request }) => request.identification);
    expect(first !== undefined && second !== undefined && second > first).toBe(true);
  });

  test("again, by the clock of a home agent that refused its own", async () => {
    const hourAhead = () => ntpFromEpochMs(Date.now() + 3_600_000);
    const homeAgent = await homeAgentThat(({ identification }, count) =>
      count === 1 ? { code: 133, identification: joinIdentification(hourAhead(), identification) } : {},
    );
    const { result, clockOffsetMs } = await register(orderFor(homeAgent), settingsFor(homeAgent.endpoint));
    expect(result).toMatchObject({ kind: "answered", reply: { code: 0 } });
    expect(Math.abs((clockOffsetMs ?? 0) - 3_600_000)).toBeLessThan(2000);
  });

  test("in vain, when the keys differ; what the home agent said is told", async () => {
    const homeAgent = await homeAgentThat(() => ({ code: 131, mobileHome: association(256, "another key") }));
    const settings = { ...settingsFor(homeAgent.endpoint), maximumTries: 1 };
    const { result, lastDoubt } = await register(orderFor(homeAgent), settings);
    expect(result.kind).toBe("unanswered");
    expect(lastDoubt).toEqual({ doubt: "mobile-home-authentication", code: 131 });
  });
});

describe("a crowd of mobiles", () => {
  interface CrowdOptions {
    /** Long: how slow the machine is shall leave nobody unanswered. */
    readonly answerTimeoutMs: number;
    readonly logFile?: string;
  }

  async function runCrowd(target: Endpoint, homeAgent: FakeHomeAgent, mobiles: number, options: CrowdOptions) {
    const progress: LoadReport[] = [];
    return runLoad(
      {
        mobiles,
        nameOf: (mobile) => ({ homeAddress: (homeAddress + mobile) as Ipv4Address, nai: undefined }),
        order: { flags: 0, lifetimeSeconds: 600, homeAgent: homeAgent.endpoint.address, careOfAddress: target.address },
        associations: { homeAgent: mobileHome, foreignAgent: undefined },
        identifications: new IdentificationSource("timestamps", random32),
        ratePerSecond: undefined,
        window: 32,
        answerTimeoutMs: options.answerTimeoutMs,
        maximumTries: 1,
        maximumRequests: mobiles,
        durationMs: Number.POSITIVE_INFINITY,
      },
      { target, local: LOCAL.address, ports: 4 },
      { logFile: options.logFile, signal: new AbortController().signal, onProgress: (report) => progress.push(report) },
    );
  }

  test("registers once each through a foreign agent, from several ports, and logs what was accepted", async () => {
    const homeAgent = await homeAgentThat(accepting);
    const { service, endpoint } = await foreignAgentFor(homeAgent);
    const logFile = temporaryFile("accepted.ndjson");
    const report = await runCrowd(endpoint, homeAgent, 500, { answerTimeoutMs: 30_000, logFile });
    expect(report).toMatchObject({ sent: 500, accepted: 500, denied: {}, unanswered: 0, invalid: 0, sendErrors: 0 });
    expect(report.latencyMs.max).toBeGreaterThanOrEqual(report.latencyMs.p50);
    expect(report.latencyMs.p50).toBeGreaterThan(0);
    expect(new Set(service.agent.visitors.map(({ homeAddress }) => homeAddress)).size).toBe(500);
    expect(new Set(service.agent.visitors.map(({ mobile }) => mobile.port)).size).toBe(4);
    const lines = readLines(logFile);
    expect(lines).toHaveLength(500);
    expect(lines[0]).toEqual({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      homeAddress: expect.stringMatching(/^10\.64\./),
      nai: null,
      identification: expect.stringMatching(/^0x[0-9a-f]{16}$/),
      lifetime: 600,
      latencyMs: expect.any(Number),
      tries: 1,
    });
  });

  test("counts denials by code, and who got no answer", async () => {
    const homeAgent = await homeAgentThat(({ homeAddress }) => {
      if (homeAddress % 4 === 0) return undefined;
      return homeAddress % 4 === 1 ? { code: 130 } : {};
    });
    const report = await runCrowd(homeAgent.endpoint, homeAgent, 40, { answerTimeoutMs: 2000 });
    expect(report).toMatchObject({ sent: 40, accepted: 20, denied: { 130: 10 }, unanswered: 10 });
  });
});

test("a foreign agent whose address can't be had starts nothing", async () => {
  const homeAgent = await homeAgentThat(accepting);
  const { endpoint } = await foreignAgentFor(homeAgent);
  const settings = {
    policy: {
      careOfAddress: endpoint.address,
      maximumLifetimeSeconds: 600,
      minimalEncapsulation: true,
      greEncapsulation: true,
      homeAgentAssociation: undefined,
      mobileAssociation: undefined,
    },
    listen: [],
    relayFrom: endpoint,
    homeAgentPort: 434,
    maximumPending: 1,
    maximumVisitors: 1,
  };
  await expect(ForeignAgentService.start(settings, undefined)).rejects.toMatchObject({ code: "EADDRINUSE" });
});

test("the address to send from is that of the interface toward the destination", async () => {
  expect(await localAddressToward({ address: ipv4("127.0.0.9"), port: 434 })).toBe(ipv4("127.0.0.1"));
});
