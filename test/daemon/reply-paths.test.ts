import { describe, expect, it } from "vitest";
import type { Binding } from "../../src/core/bindings/binding.ts";
import { type Ipv4Address, ipv4 } from "../../src/core/wire/ipv4.ts";
import { ReplyPaths } from "../../src/daemon/reply-paths.ts";

const LOCAL = ipv4("10.64.0.1");
const DENIED = new Uint8Array([3, 131]);
const agent = (number: number) => ({ address: ipv4(`192.0.2.${number}`), port: 434 });
const mobile = (number: number) => ({ homeAddress: ipv4(`10.64.1.${number}`), nai: undefined });

/** A reply that accepts a mobile of an association; both are numbers. */
const accepted = (association: number) => new Uint8Array([3, 0, association]);

/** No route leads to those of `missing`; no binding names those of `unbound`. */
function paths({
  missing = () => false,
  unbound = [],
}: {
  missing?: (of: number) => boolean;
  unbound?: number[];
} = {}) {
  const numberOf = (address: Ipv4Address) => address & 0xff;
  const asked: number[][] = [];
  const replyPaths = new ReplyPaths({
    answeredMobile: (reply) => ({ mobile: mobile(1), association: `association ${reply[2]}` }),
    isBoundBy: (_, foreignAgent) => !unbound.includes(numberOf(foreignAgent)),
    findRoutes: (_, destinations) => {
      const known = [...destinations];
      asked.push(known.map(numberOf));
      const without = known.filter((address) => missing(numberOf(address)));
      return Promise.resolve(new Map(without.map((address) => [address, "ENETUNREACH"])));
    },
  });
  return { replyPaths, asked };
}

describe("the paths of replies", () => {
  it("are looked for to the foreign agents of each association that were answered last, whose number is bounded", async () => {
    const { replyPaths, asked } = paths();
    for (let number = 1; number <= 20; number++) replyPaths.replied(accepted(1), agent(number));
    replyPaths.replied(accepted(1), agent(18));
    replyPaths.replied(accepted(1), agent(21));
    for (let association = 2; association <= 30; association++) replyPaths.replied(accepted(association), agent(200));
    replyPaths.replied(accepted(1), agent(21));
    await replyPaths.look(LOCAL);
    expect(asked[0]).toEqual([200, 21]);
    for (const number of [22, 23, 24, 25]) replyPaths.replied(accepted(1), agent(number));
    await replyPaths.look(LOCAL);
    expect(asked[1]).toEqual([200, 22, 23, 24, 25]);
  });

  it("are missing where no association's mobiles can be answered", async () => {
    const { replyPaths } = paths({ missing: () => true });
    for (const association of [1, 2, 3]) replyPaths.replied(accepted(association), agent(association));
    await replyPaths.look(LOCAL);
    expect(replyPaths.routes).toEqual({ known: 2, missing: 2, problem: "ENETUNREACH" });
  });

  it("are judged by all foreign agents where all mobiles are of one association", async () => {
    const { replyPaths } = paths({ missing: (number) => number < 3 });
    for (const number of [1, 2, 3, 4]) replyPaths.replied(accepted(1), agent(number));
    await replyPaths.look(LOCAL);
    expect(replyPaths.routes).toEqual({ known: 4, missing: 2, problem: "ENETUNREACH" });
  });

  it("are not judged by who registers with one key from sources that it makes up, however many", async () => {
    const { replyPaths } = paths({ missing: (number) => number >= 100 });
    replyPaths.replied(accepted(1), agent(1));
    replyPaths.failed(agent(1), "EAGAIN");
    replyPaths.replied(accepted(1), agent(1));
    for (let number = 100; number < 250; number++) {
      replyPaths.replied(accepted(2), agent(number));
      replyPaths.failed(agent(number), "ENETUNREACH");
    }
    await replyPaths.look(LOCAL);
    expect(replyPaths.routes).toMatchObject({ known: 1, missing: 0 });
    expect(replyPaths.outcomes).toMatchObject({ tried: 2, failed: 1 });
  });

  it("are no more looked for to a foreign agent that no binding names", async () => {
    const unbound: number[] = [];
    const { replyPaths } = paths({ missing: () => true, unbound });
    for (const association of [1, 2]) replyPaths.replied(accepted(association), agent(association));
    await replyPaths.look(LOCAL);
    expect(replyPaths.routes).toMatchObject({ known: 1, missing: 1 });
    unbound.push(1, 2);
    await replyPaths.look(LOCAL);
    expect(replyPaths.routes).toEqual({ known: 0, missing: 0, problem: "" });
  });

  it("are not judged by those who were only denied: anybody can send a request from anywhere", async () => {
    const { replyPaths } = paths({ missing: () => true });
    replyPaths.replied(DENIED, agent(9));
    replyPaths.failed(agent(9), "EPERM");
    await replyPaths.look(LOCAL);
    expect(replyPaths.routes).toMatchObject({ known: 0, missing: 0 });
    expect(replyPaths.outcomes).toEqual({ tried: 0, failed: 0, problem: "" });
  });

  it("are judged by every reply to those who were accepted", async () => {
    const { replyPaths } = paths();
    replyPaths.replied(accepted(1), agent(1));
    replyPaths.replied(DENIED, agent(1));
    replyPaths.failed(agent(1), "EPERM");
    await replyPaths.look(LOCAL);
    expect(replyPaths.outcomes).toEqual({ tried: 2, failed: 1, problem: "EPERM" });
  });

  it("are known from the bindings at a start", async () => {
    const { replyPaths } = paths({ missing: () => true });
    const row = {
      ...mobile(1),
      registration: {
        association: "association 1",
        careOfAddresses: [{ foreignAgent: agent(1) }, { foreignAgent: agent(2) }],
      },
    };
    replyPaths.expect([row as unknown as Binding]);
    await replyPaths.look(LOCAL);
    expect(replyPaths.routes).toEqual({ known: 2, missing: 2, problem: "ENETUNREACH" });
  });
});
