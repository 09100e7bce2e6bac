import type { BindingView } from "../../adapters/api/bindings.ts";
import { table } from "../../text/columns.ts";

/** One mobile as the home agents know it. */
export interface MobileRow {
  readonly mobile: string;
  readonly careOfAddress: string;
  /** The home agent that routing brought the last request to. */
  readonly ingress: string;
  readonly owner: string;
  /** Seconds. */
  readonly lifetime: number | null;
}

/**
 * Puts together what the home agents list, each from its own sight.
 *
 * @param views by the name of the home agent that listed them
 */
export function mobileRows(views: ReadonlyMap<string, readonly BindingView[]>): MobileRow[] {
  const all = [...views].flatMap(([homeAgent, bindings]) => bindings.map((view) => ({ homeAgent, view })));
  const mobiles = [...new Set(all.map(({ view }) => view.homeAddress))].sort((a, b) =>
    a.localeCompare(b, undefined, { numeric: true }),
  );
  return mobiles.flatMap((mobile) => {
    const known = all.filter(({ view }) => view.homeAddress === mobile);
    const owned = known.find(({ view }) => view.roles.includes("owner"));
    // An earlier ingress remembers an earlier request until its lifetime ends; identifications only grow.
    const [ingress] = known
      .filter(({ view }) => view.roles.includes("ingress"))
      .sort((a, b) => (a.view.identification < b.view.identification ? 1 : -1));
    if (!owned?.view.careOfAddress) return [];
    const { owner, careOfAddress, lifetime } = owned.view;
    return [{ mobile, careOfAddress, ingress: ingress?.homeAgent ?? "?", owner, lifetime }];
  });
}

/** As text, under headings. */
export function mobileTable(rows: readonly MobileRow[]): string {
  return table(
    ["mobile", "care-of address", "ingress", "owner", "lifetime"],
    rows.map((row) => [row.mobile, row.careOfAddress, row.ingress, row.owner, `${row.lifetime} s`]),
  );
}
