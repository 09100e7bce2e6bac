import { describe, expect, it } from "vitest";
import { decider, designateBackups, leastLoaded } from "../../../src/core/replication/designation.ts";

const settings = { copies: 2, designated: new Map<string, string[]>() };
const everybody = { toStay: () => true, toJoin: () => true };
const ranking = ["ha1", "ha2", "ha3", "ha4"];

describe("the backups of a binding", () => {
  it("are the next in the mobile's own ranking", () => {
    expect(designateBackups("ha1", [], ranking, everybody, settings)).toEqual(["ha2", "ha3"]);
    expect(designateBackups("ha3", [], ranking, everybody, settings)).toEqual(["ha1", "ha2"]);
  });

  it("are those that the operator has designated, before all others", () => {
    const designated = new Map([["ha1", ["ha4"]]]);
    expect(designateBackups("ha1", [], ranking, everybody, { copies: 2, designated })).toEqual(["ha4", "ha2"]);
  });

  it("stay as long as they may, whoever else would be fit", () => {
    expect(designateBackups("ha1", ["ha4", "ha3"], ranking, everybody, settings)).toEqual(["ha4", "ha3"]);
    const fitness = { toStay: (id: string) => id !== "ha4", toJoin: () => true };
    expect(designateBackups("ha1", ["ha4", "ha3"], ranking, fitness, settings)).toEqual(["ha3", "ha2"]);
  });

  it("may stay while they are silent, but not join", () => {
    const fitness = { toStay: () => true, toJoin: (id: string) => id !== "ha2" };
    expect(designateBackups("ha1", ["ha2"], ranking, fitness, settings)).toEqual(["ha2", "ha3"]);
    expect(designateBackups("ha1", [], ranking, fitness, settings)).toEqual(["ha3", "ha4"]);
  });
});

describe("a dead owner's binding", () => {
  const members = (alive: readonly string[], able: readonly string[]) => ({
    isAlive: (id: string) => alive.includes(id),
    isAble: (id: string) => able.includes(id),
  });

  it("is decided about by its first backup that is alive", () => {
    expect(decider(["ha2", "ha3"], members(["ha3"], ["ha3"]))).toBe("ha3");
    expect(decider(["ha2", "ha3"], members([], []))).toBeUndefined();
  });

  it("is decided about by one that can't store only where no other is alive", () => {
    expect(decider(["ha2", "ha3"], members(["ha2", "ha3"], ["ha3"]))).toBe("ha3");
    expect(decider(["ha2", "ha3"], members(["ha2", "ha3"], []))).toBe("ha2");
  });

  it("goes to the least loaded backup, by weight", () => {
    const loads = new Map([
      ["ha2", { ownedBindings: 300, weight: 200 }],
      ["ha3", { ownedBindings: 200, weight: 100 }],
    ]);
    expect(leastLoaded(["ha3", "ha2"], loads)).toBe("ha2");
    expect(leastLoaded(["ha9"], loads)).toBeUndefined();
  });
});
