import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CHECK_STATES, type CheckState, SettledCheck } from "../../../src/core/health/settled-check.ts";

const letters: Record<string, CheckState | undefined> = { p: "pass", d: "degraded", f: "fail", "?": undefined };

/** What counts after each finding, as letters. */
function settle(findings: string, hysteresis = { rise: 2, fall: 3 }): string {
  const check = new SettledCheck("disk", hysteresis, 0);
  return [...findings]
    .map((letter, index) => {
      const state = letters[letter];
      check.found(state && { state, reason: `finding ${index}` }, index);
      return check.status.state[0];
    })
    .join("");
}

describe("a check", () => {
  it.each([
    ["counts its first finding at once", "f", "f"],
    ["gets worse after as many findings in a row as `fall` says", "pfff", "pppf"],
    ["gets better after as many as `rise` says", "pfffpp", "pppffp"],
    ["starts counting anew when a finding contradicts", "pffpff", "pppppp"],
    ["is not moved by what can't be told, which doesn't contradict either", "pf?f?f", "pppppf"],
    ["that is unknown stays so while nothing can be told", "??p", "uup"],
    ["gets no worse than was found every time", "pfdf", "pppd"],
    ["gets no better than was found every time", "fpd", "ffd"],
    ["goes on from there", "pfdffff", "pppdddf"],
    ["whose findings turn around starts counting anew", "pdddfp", "pppddd"],
  ])("%s: %s", (_, findings, settled) => {
    expect(settle(findings)).toBe(settled);
  });

  it("with 1 and 1 follows every finding", () => {
    expect(settle("pfdpf", { rise: 1, fall: 1 })).toBe("pfdpf");
  });

  it("says since when, and why", () => {
    const check = new SettledCheck("disk", { rise: 1, fall: 2 }, 5);
    expect(check.found({ state: "pass", reason: "2 GB free" }, 10)).toBe(true);
    expect(check.found({ state: "fail", reason: "1 MB free" }, 20)).toBe(false);
    expect(check.status).toMatchObject({ name: "disk", state: "pass", sinceMs: 10, reason: "1 MB free" });
    expect(check.found({ state: "fail", reason: "0 MB free" }, 30)).toBe(true);
    expect(check.status).toMatchObject({ state: "fail", sinceMs: 30, reason: "0 MB free" });
  });

  it("only ever moves to something between what counted and the worst or best that was found since", () => {
    const finding = fc.constantFrom(...CHECK_STATES);
    fc.assert(
      fc.property(
        fc.array(finding),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 4 }),
        (all, rise, fall) => {
          const check = new SettledCheck("any", { rise, fall }, 0);
          for (const [index, state] of all.entries()) {
            const before = check.status.state;
            const changed = check.found({ state, reason: "" }, index);
            const after = check.status.state;
            expect(changed).toBe(before !== after);
            if (!changed || before === "unknown") continue;
            const needed = CHECK_STATES.indexOf(after as CheckState) > CHECK_STATES.indexOf(before) ? rise : fall;
            const row = all.slice(index - needed + 1, index + 1);
            expect(row).toHaveLength(needed);
            expect(row).toContain(after);
            expect(row).not.toContain(before);
          }
        },
      ),
    );
  });
});
