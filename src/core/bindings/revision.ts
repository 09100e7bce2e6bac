/** How the owner of a row changes it though its mobile has signed nothing new. */
import type { MemberId } from "../names.ts";
import { ntpFromEpochMs } from "../wire/ntp-timestamp.ts";
import type { Binding, Registration } from "./binding.ts";
import { afterSignedMs } from "./merge.ts";
import { neededUnreservedUntilMs } from "./mobility-bindings.ts";

export interface Revision {
  readonly homeAddress?: Binding["homeAddress"];
  readonly dynamic?: boolean;
  readonly registration?: Partial<
    Pick<
      Registration,
      | "careOfAddresses"
      | "replayableUntilMs"
      | "retainUntilMs"
      | "reservedUntilMs"
      | "identification"
      | "replayStyle"
      | "authenticator"
      | "replayResets"
      | "forgottenUntilMs"
    >
  >;
}

/**
 * Every such change is made here, so that it is a newer version of the row, to which copies of the former one give way: a
 * change without a version would be undone by any member that holds an old copy. What time alone does (`withoutExpired`)
 * needs none, as it follows from the row.
 */
export function revised(
  row: Binding,
  { registration = {}, ...changes }: Revision,
  decidedBy: MemberId,
  nowMs: number,
): Binding {
  const { counter, acceptedAtMs } = row.registration;
  return {
    ...row,
    ...changes,
    registration: {
      ...row.registration,
      // A member that is away has a copy, and would bring back what ends here.
      retainUntilMs: neededUnreservedUntilMs(row),
      ...registration,
      counter: counter + 1,
      acceptedAtMs: Math.max(nowMs, acceptedAtMs),
      decidedBy,
    },
  };
}

/**
 * Ends the binding, and what the mobile has signed counts no more: its next request need only be newer than now. It is a
 * version that wins over all that it knows of, not a removal: a member that is away has a copy, and would bring it back. So it
 * is kept as long as such a copy might be. What another member has accepted meanwhile and was signed later wins over it.
 */
export function withoutReplayState(row: Binding, decidedBy: MemberId, nowMs: number): Binding {
  const { replayResets, forgottenUntilMs } = row.registration;
  const registration = {
    careOfAddresses: [],
    identification: ntpFromEpochMs(nowMs),
    replayStyle: "timestamps" as const,
    // Of no request: nothing is a retransmission of it.
    authenticator: "",
    replayResets: replayResets + 1,
    forgottenUntilMs: Math.max(forgottenUntilMs, afterSignedMs(row.registration)),
  };
  return revised(row, { registration }, decidedBy, nowMs);
}
