import { describe, expect, it, vi } from "vitest";
import type { HomeAgent } from "../../src/cluster/home-agent.ts";
import type { Input, Now } from "../../src/cluster/io.ts";
import { Driver } from "../../src/daemon/driver.ts";

const frame: Input = { type: "frame", payload: new Uint8Array(), source: { address: 0 as never, port: 1 } };

function driverOf(handle: (input: Input) => [], wakeInMs = Number.POSITIVE_INFINITY) {
  const failures: [unknown, string][] = [];
  const agent = { handle, nextWakeMs: (now: Now) => now.monotonicMs + wakeInMs } as unknown as HomeAgent;
  const driver = new Driver({
    agent,
    endpointOf: () => undefined,
    stallMs: 400,
    append: () => undefined,
    inputFailed: (error, input) => failures.push([error, input]),
  });
  return { driver, failures };
}

describe("the driver of the core", () => {
  it("goes on after an input that made the core throw, and tells of it", () => {
    const bug = new Error("a bug");
    const handled: string[] = [];
    const { driver, failures } = driverOf((input) => {
      if (input.type === "frame") throw bug;
      handled.push(input.type);
      return [];
    });
    driver.input(frame);
    driver.input({ type: "durable", position: 1 });
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
