/** Scenarios as data: numbered requests with what must become of them. */
import { expect, test } from "vitest";
import type { RegistrationPolicy } from "../../../src/core/registration/policy.ts";
import { type Outcome, Rig, type Sent } from "./rig.ts";

export interface Step {
  /** Seconds that pass before. */
  readonly after?: number;
  /** A request; a number sends the very bytes of that step (from 1) again. */
  readonly send: Sent | number;
  /** For bytes that are sent again: from elsewhere. */
  readonly from?: Pick<Sent, "source" | "destination">;
  readonly expect: Partial<Omit<Outcome, "reply" | "request" | "row">>;
}

export interface Scenario {
  /** A rule, as a sentence. */
  readonly rule: string;
  readonly policy?: Partial<RegistrationPolicy>;
  readonly steps: readonly Step[];
}

export function play(scenarios: readonly Scenario[]): void {
  test.each(scenarios)("$rule", ({ policy, steps }) => {
    const rig = new Rig(policy);
    const datagrams: { readonly bytes: Uint8Array; readonly sent: Sent }[] = [];
    for (const [index, step] of steps.entries()) {
      rig.passSeconds(step.after ?? 0);
      const earlier = typeof step.send === "number" ? datagrams[step.send - 1] : undefined;
      const sent = typeof step.send === "number" ? { ...earlier?.sent, ...step.from } : step.send;
      const datagram = { bytes: earlier?.bytes ?? rig.datagram(sent), sent };
      datagrams.push(datagram);
      const outcome = rig.receive(datagram.bytes, sent);
      expect(summary(outcome, step.expect), `request ${index + 1}`).toEqual(step.expect);
    }
  });
}

/** Of the outcome, what the step has an opinion on. */
function summary(outcome: Outcome, expected: Step["expect"]): Step["expect"] {
  return Object.fromEntries(Object.keys(expected).map((field) => [field, outcome[field as keyof Outcome]]));
}

/** The usual answers. */
export const ACCEPTED = { outcome: "accepted", code: 0 } as const;
export const denied = (code: number, reason: NonNullable<Outcome["reason"]>) =>
  ({ outcome: "denied", code, reason }) as const;
export const discarded = (reason: NonNullable<Outcome["reason"]>) => ({ outcome: "discard", reason }) as const;
