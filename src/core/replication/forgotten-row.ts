/** What an owner says of a row that it has forgotten: enough to tell which copies may go with it. */
import type { Binding } from "../bindings/binding.ts";
import { compareVersions, versionOf } from "../bindings/merge.ts";
import type { ForgottenRow } from "../protocol/stream-messages.ts";

export function forgottenRow(row: Binding): ForgottenRow {
  return { ...versionOf(row), mobile: row.mobile, generation: row.ownership.generation };
}

/** A member that has forgotten that row knew everything that this one says. */
export function isKnownTo(forgotten: ForgottenRow, row: Binding): boolean {
  return row.ownership.generation <= forgotten.generation && compareVersions(versionOf(row), forgotten) <= 0;
}
