import { describe, expect, it } from "vitest";
import type { Binding } from "../../src/core/bindings/binding.ts";
import { type Ipv4Address, ipv4 } from "../../src/core/wire/ipv4.ts";
import { ReplyPaths } from "../../src/daemon/reply-paths.ts";

const LOCAL = ipv4("10.64.0.1");
const ACCEPTED = new Uint8Array([3, 0]);
const DENIED = new Uint8Array([3, 131]);
const agent = (number: number) => ({ address: ipv4(`192.0.2.${number}`), port: 434 });

function paths(...missing: readonly number[]) {
  const asked: Ipv4Address[][] = [];
  const replyPaths = new ReplyPaths((_, destinations) => {
    const known = [...destinations];
    asked.push(known);
    const without = known.filter((address) => missing.some((number) => agent(number).address === address));
    return Promise.resolve(new Map(without.map((address) => [address, "ENETUNREACH"])));
  });
  return { replyPaths, asked };
}

describe("the paths of replies", () => {
  it("are looked for to the foreign agents that were accepted last, whose number is bounded", async () => {
    const { replyPaths, asked } = paths(20);
    for (let number = 1; number <= 20; number++) replyPaths.replied(ACCEPTED, agent(number));
    replyPaths.replied(ACCEPTED, agent(6));
    replyPaths.replied(ACCEPTED, agent(21));
    await replyPaths.look(LOCAL);
    expect(replyPaths.routes).toEqual({ known: 16, missing: 1, problem: "ENETUNREACH" });
    expect(asked[0]).toContain(agent(6).address);
    expect(asked[0]).not.toContain(agent(5).address);
  });

  it("are not judged by those who were only denied: anybody can send a request from anywhere", async () => {
    const { replyPaths } = paths(9);
    replyPaths.replied(DENIED, agent(9));
    replyPaths.failed(agent(9), "EPERM");
    await replyPaths.look(LOCAL);
    expect(replyPaths.routes).toMatchObject({ known: 0, missing: 0 });
    expect(replyPaths.outcomes).toEqual({ tried: 0, failed: 0, problem: "" });
  });

  it("are judged by every reply to those who were accepted", () => {
    const { replyPaths } = paths();
    replyPaths.replied(ACCEPTED, agent(1));
    replyPaths.replied(DENIED, agent(1));
    replyPaths.failed(agent(1), "EPERM");
    expect(replyPaths.outcomes).toEqual({ tried: 2, failed: 1, problem: "EPERM" });
  });

  it("are known from the bindings at a start", async () => {
    const { replyPaths } = paths(1, 2);
    const row = { registration: { careOfAddresses: [{ foreignAgent: agent(1) }, { foreignAgent: agent(2) }] } };
    replyPaths.expect([row as unknown as Binding]);
    await replyPaths.look(LOCAL);
    expect(replyPaths.routes).toEqual({ known: 2, missing: 2, problem: "ENETUNREACH" });
  });
});
