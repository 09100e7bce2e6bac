/** What strangers send costs the member that it reaches something, and nobody else. */
import { describe, expect, test } from "vitest";
import { RecentRequests } from "../../../src/core/home-agent/recent-requests.ts";
import { ExtensionType } from "../../../src/core/wire/extension.ts";
import { type Endpoint, ipv4 } from "../../../src/core/wire/ipv4.ts";
import { MessageWriter } from "../../../src/core/wire/message-writer.ts";
import { ntpFromEpochMs } from "../../../src/core/wire/ntp-timestamp.ts";
import { encodeRequestFields } from "../../../src/core/wire/registration-message.ts";
import { ALICE, type SentFrame, TestCluster, virtualEndpoint } from "./test-cluster.ts";

const FLOOD = 5000;
/** Of requests that may be of use one at a time. */
const DOUBTFUL_PER_SECOND = 200;
const STRANGER: Endpoint = { address: ipv4("198.51.100.66"), port: 6666 };

function forged(cluster: TestCluster, homeAddress: string, nai?: string): Uint8Array {
  const writer = new MessageWriter(
    encodeRequestFields({
      flags: 0,
      lifetimeSeconds: 600,
      homeAddress: ipv4(homeAddress),
      homeAgent: virtualEndpoint.address,
      careOfAddress: ipv4("198.51.100.66"),
      identification: ntpFromEpochMs(cluster.wallMs),
    }),
  );
  if (nai !== undefined) writer.appendNai(nai);
  const spi = nai === undefined ? 256 : 257;
  return writer
    .appendAuthentication(ExtensionType.MobileHomeAuthentication, spi, () => new Uint8Array(16).fill(7))
    .finish();
}

/** What members relay for the stranger from now on. */
function relayedForStranger(cluster: TestCluster): SentFrame[] {
  const relayed: SentFrame[] = [];
  cluster.onFrame = (frame) => {
    const message = cluster.read(frame);
    if (message.type === "relay-request" && message.source.address === STRANGER.address) relayed.push(frame);
  };
  return relayed;
}

type Garbage = (cluster: TestCluster, number: number) => Uint8Array;

const address = (number: number) => `10.71.${number >> 8}.${number & 255}`;

describe("a flood at a member", () => {
  test.each<[string, Garbage]>([
    [
      "of requests with a wrong authenticator",
      (cluster, number) => forged(cluster, "0.0.0.0", `user${number}@example.com`),
    ],
    ["of mobiles that nobody knows", (cluster, number) => forged(cluster, "0.0.0.0", `user${number}@nowhere.example`)],
    ["of requests of nobody", (cluster) => forged(cluster, "0.0.0.0")],
    ["of what is no request", (_, number) => new Uint8Array(20 + (number % 60)).fill(number)],
  ])("%s reaches no other member, and whoever has the right key is served meanwhile", (_, garbage) => {
    const cluster = new TestCluster(3);
    const known = cluster.homeAddressesRanked(10, "ha2");
    const relayed = relayedForStranger(cluster);
    let accepted = 0;
    for (let number = 0; number < FLOOD; number++) {
      cluster.datagram("ha1", garbage(cluster, number), { ...STRANGER, port: 1024 + number });
      const homeAddress = known[number / 500];
      if (homeAddress !== undefined && cluster.register("ha1", { homeAddress })?.reply.code === 0) accepted++;
      expect(cluster.agent("ha1").queues).toMatchObject({ temporaryBindings: 0, deferredRequests: 0 });
    }
    expect(accepted).toBe(known.length);
    expect(relayed).toEqual([]);
  });

  test("of requests of home addresses whose keys only an owner may know gets no more than a small share", () => {
    const cluster = new TestCluster(3);
    const relayed = relayedForStranger(cluster);
    for (let number = 0; number < FLOOD; number++) cluster.datagram("ha1", forged(cluster, address(number)), STRANGER);
    expect(relayed.length).toBeLessThanOrEqual(DOUBTFUL_PER_SECOND);
    expect(cluster.count("ha1", "datagrams-dropped doubtful-rate")).toBeGreaterThanOrEqual(FLOOD - DOUBTFUL_PER_SECOND);
    expect(cluster.register("ha1", { homeAddress: address(9) })?.reply.code).toBe(0);
  });

  test.each([
    ["requests that were accepted a moment ago", 0],
    ["requests that are too old to be accepted", 60_000],
  ])("of recorded %s gets no more than a small share, and changes nothing", (_, ageMs) => {
    const cluster = new TestCluster(3);
    const recorded = Array.from({ length: 20 }, (__, number) => cluster.request({ homeAddress: address(number) }));
    for (const request of recorded) cluster.datagram("ha1", request);
    cluster.passTime(ageMs, 200);
    const before = [...cluster.agent("ha2").bindings].map(({ registration }) => registration);
    const relayed = relayedForStranger(cluster);
    for (let number = 0; number < FLOOD; number++)
      cluster.datagram("ha1", recorded[number % recorded.length] ?? new Uint8Array(), STRANGER);
    expect(relayed.length).toBeLessThanOrEqual(DOUBTFUL_PER_SECOND);
    expect(cluster.count("ha1", "datagrams-dropped doubtful-rate")).toBe(FLOOD - DOUBTFUL_PER_SECOND);
    expect([...cluster.agent("ha2").bindings].map(({ registration }) => registration)).toEqual(before);
    expect(cluster.register("ha1", { homeAddress: address(9) })?.reply.code).toBe(0);
  });
});

describe("at a member that a request reaches, and that doesn't own its mobile", () => {
  test("a wrong authenticator is answered as the owner would answer it, and no more often", () => {
    const cluster = new TestCluster(3);
    const [homeAddress = ""] = cluster.homeAddressesRanked(1, "ha2");
    expect(cluster.register("ha1", { homeAddress })?.reply.code).toBe(0);
    for (let times = 0; times < 100; times++) cluster.datagram("ha1", forged(cluster, homeAddress), STRANGER);
    expect(cluster.replies.slice(1).map(({ from, reply }) => [from, reply.code])).toEqual(
      Array.from({ length: 10 }, () => ["ha1", 131]),
    );
    expect(cluster.count("ha1", "datagrams-dropped authentication-failure-rate")).toBe(90);
    expect(cluster.count("ha2", "requests-served")).toBe(1);
  });

  test("a request isn't refused for what is known of a mobile that had the address before", () => {
    const ids = ["ha1", "ha2", "ha3", "ha4", "ha5", "ha6"];
    const cluster = new TestCluster(ids.length, { copies: 1 });
    const [left = "", other = ""] = cluster.homeAddressesRanked(2, "ha1", "ha2");
    const alice = { nai: ALICE, homeAddress: left };
    expect(cluster.register("ha6", alice)?.reply.code).toBe(0);
    expect(cluster.register("ha1", { ...alice, homeAddress: other })?.reply.code).toBe(0);
    expect(cluster.agent("ha6").findLocation({ nai: undefined, homeAddress: ipv4(left) })?.nai).toBe(ALICE);
    expect(cluster.register("ha6", { homeAddress: left })?.reply.code).toBe(0);
  });

  test("no request is too old or too new that is neither by the clock of its owner", () => {
    const cluster = new TestCluster(3);
    cluster.kill("ha1");
    cluster.clockOffsetsMs.set("ha1", 20_000);
    cluster.restart("ha1");
    cluster.passTime(8000);
    const homeAddresses = cluster.homeAddressesRanked(2 * DOUBTFUL_PER_SECOND, "ha2");
    for (const homeAddress of homeAddresses) expect(cluster.register("ha1", { homeAddress })).toBeDefined();
    expect(cluster.count("ha1", "datagrams-dropped doubtful-rate")).toBe(0);
  });

  test("nobody can have another mobile's requests taken for repetitions", () => {
    const cluster = new TestCluster(3);
    const [attacker, victim] = cluster.homeAddressesRanked(2, "ha2");
    const identification = ntpFromEpochMs(cluster.wallMs + 1000);
    const repeated = cluster.request({ homeAddress: attacker ?? "", identification });
    for (let times = 0; times < 2 * DOUBTFUL_PER_SECOND; times++) cluster.datagram("ha1", repeated);
    expect(cluster.register("ha1", { homeAddress: victim ?? "", identification })?.reply.code).toBe(0);
  });
});

describe("the newest requests", () => {
  test("are known again, and those that are long over are forgotten, however many there are", () => {
    const recent = new RecentRequests();
    for (let number = 0; number < 100_000; number++) expect(recent.isNew(`${number}`)).toBe(true);
    for (let number = 99_999; number > 99_999 - 32_768; number--) expect(recent.isNew(`${number}`)).toBe(false);
    expect(recent.isNew("0")).toBe(true);
  });
});
