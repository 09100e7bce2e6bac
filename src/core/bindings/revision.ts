/** How the owner of a row changes it though its mobile has signed nothing new. */
import type { MemberId } from "../names.ts";
import type { Binding, Registration } from "./binding.ts";

export interface Revision {
  readonly homeAddress?: Binding["homeAddress"];
  readonly dynamic?: boolean;
  readonly registration?: Partial<Pick<Registration, "careOfAddresses" | "retainUntilMs">>;
}

/**
 * Every such change is made here, so that it is a newer version of the row, to which copies of the former one give way: a
 * change without a version would be undone by whoever holds an old copy. What time alone does (`withoutExpired`) needs none,
 * as it follows from the row.
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
      ...registration,
      counter: counter + 1,
      acceptedAtMs: Math.max(nowMs, acceptedAtMs),
      decidedBy,
    },
  };
}
