import { describe, expect, it, vi } from "vitest";
import type { HomeAgent } from "../../src/core/home-agent/home-agent.ts";
import type { Input } from "../../src/core/home-agent/io.ts";
import type { Now } from "../../src/core/now.ts";
import { Driver } from "../../src/daemon/driver.ts";

const frame: Input = { type: "frame", payload: new Uint8Array(), source: { address: 0 as never, port: 1 } };

function driverOf(take: (input: Input) => void, wakeInMs = Number.POSITIVE_INFINITY) {
  const failures: [unknown, string][] = [];
  let settled = 0;
  const agent = {
    take,
    settle: () => {
      settled++;
      return [];
    },
    nextWakeMs: (now: Now) => now.monotonicMs + wakeInMs,
  } as unknown as HomeAgent;
  const driver = new Driver({
    agent,
    endpointOf: () => undefined,
    stallMs: () => 60_000,
    append: () => undefined,
    replied: () => undefined,
    inputFailed: (error, input) => failures.push([error, input]),
  });
  return { driver, failures, settled: () => settled };
}

describe("the driver of the core", () => {
  it("hands over together what has come in together, in its order", async () => {
    const taken: string[] = [];
    const { driver, settled } = driverOf(({ type }) => taken.push(type));
    driver.input(frame);
    driver.input({ type: "durable", position: 1 });
    driver.input(frame);
    await vi.waitUntil(() => settled() > 0, { timeout: 10_000, interval: 5 });
    driver.stop();
    expect(taken).toEqual(["frame", "durable", "frame"]);
    expect(settled()).toBe(1);
  });

  it("handles at once, behind what came before it, what others are to go by", async () => {
    const taken: string[] = [];
    const { driver, settled } = driverOf(({ type }) => taken.push(type));
    driver.input(frame);
    driver.inputNow({ type: "rebalance" });
    expect(taken).toEqual(["frame", "rebalance"]);
    driver.input({ type: "durable", position: 1 });
    await vi.waitUntil(() => taken.length === 3, { timeout: 10_000, interval: 5 });
    driver.stop();
    expect(settled()).toBe(2);
  });

  it("goes on after an input that made the core throw, and tells of it", async () => {
    const bug = new Error("a bug");
    const handled: string[] = [];
    const { driver, failures, settled } = driverOf((input) => {
      if (input.type === "frame") throw bug;
      handled.push(input.type);
    });
    driver.input(frame);
    driver.input({ type: "durable", position: 1 });
    await vi.waitUntil(() => settled() > 0, { timeout: 10_000, interval: 5 });
    driver.stop();
    expect(failures).toEqual([[bug, "frame"]]);
    expect(handled).toEqual(["durable"]);
  });

  it("wakes the core when it wants to be, also after it threw, until it is stopped", async () => {
    let ticks = 0;
    const { driver } = driverOf((input) => {
      if (input.type === "tick") ticks++;
      throw new Error("a bug");
    }, 5);
    driver.input(frame);
    await vi.waitUntil(() => ticks >= 3, { timeout: 10_000, interval: 5 });
    driver.stop();
    driver.input(frame);
    const atTheEnd = ticks;
    driver.input({ type: "tick" });
    expect(ticks).toBe(atTheEnd);
  });
});
