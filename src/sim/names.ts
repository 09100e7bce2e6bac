/** By what mobiles name themselves: some change it, some want an address that others want. */
import { formatIpv4, type Ipv4Address, ipv4, UNSPECIFIED } from "../core/wire/ipv4.ts";
import type { Random } from "./random.ts";
import { ASSOCIATION, NAI_ASSOCIATION, OWN_ASSOCIATION, OWN_NAI } from "./settings.ts";

export interface Names {
  readonly homeAddress: Ipv4Address;
  readonly nai: string | undefined;
}

/**
 * `settled`: its address, or an NAI and whatever address it got. `renaming`: its address first, then an NAI as well, then
 * other addresses. `succeeding`: the address that a renaming one has left. `contending`: an NAI and one of few addresses that
 * others want, too.
 */
export type Habit = "settled" | "renaming" | "succeeding" | "contending";

/** Of the mobiles that don't settle. There are more of the last than addresses for them. */
const HABITS: readonly Habit[] = ["renaming", "succeeding", "contending", "contending", "contending"];
const CONTENDED = ["10.64.9.1", "10.64.9.2"].map(ipv4);
/** Addresses that one renaming mobile has in turn. */
const OWN_ADDRESSES = 3;

export interface Person {
  readonly name: string;
  readonly habit: Habit;
  /** The one that it will show at last. */
  readonly nai: string | undefined;
  readonly homeAddress: Ipv4Address;
  /** All that it names in turn. */
  readonly addresses: readonly Ipv4Address[];
}

/** What its next names depend on. */
interface Named extends Person {
  /** It has registered with its NAI. */
  readonly shown: boolean;
  readonly attempts: readonly unknown[];
}

export function settled(index: number): Person {
  const nai = index % 4 === 3 ? `user${index}@example.com` : undefined;
  const homeAddress = nai === undefined ? ipv4(`10.64.${1 + (index >> 8)}.${index & 255}`) : UNSPECIFIED;
  return { name: nai ?? formatIpv4(homeAddress), habit: "settled", nai, homeAddress, addresses: [homeAddress] };
}

export function restless(index: number): Person {
  const habit = HABITS[index % HABITS.length] ?? "contending";
  const group = Math.floor(index / HABITS.length);
  const own = Array.from({ length: OWN_ADDRESSES }, (_, place) => ipv4(`10.64.8.${group * OWN_ADDRESSES + place}`));
  const [first = UNSPECIFIED] = own;
  // There is one with a key of its own: two mobiles of one name would be one to the cluster.
  const nai = index === HABITS.length - 1 ? OWN_NAI : `${habit}${index}@example.com`;
  if (habit === "renaming") return { name: nai, habit, nai, homeAddress: first, addresses: own };
  if (habit === "succeeding")
    return { name: `${formatIpv4(first)} again`, habit, nai: undefined, homeAddress: first, addresses: [first] };
  return { name: nai, habit, nai, homeAddress: UNSPECIFIED, addresses: CONTENDED };
}

/** How it names itself next; `undefined`: not yet. `others`: all of them. */
export function nextNames(mobile: Named, others: readonly Named[], random: Random): Names | undefined {
  const { habit, nai, homeAddress, addresses, shown } = mobile;
  switch (habit) {
    case "settled":
      return { homeAddress, nai };
    case "renaming":
      if (!shown) return { homeAddress, nai: mobile.attempts.length > 1 && random.chance(0.4) ? nai : undefined };
      // It never comes back to the first, which another has by then.
      return { homeAddress: random.chance(0.3) ? random.pick(addresses.slice(1)) : homeAddress, nai };
    case "succeeding": {
      const [address] = addresses;
      const former = others.find((other) => other.habit === "renaming" && other.addresses[0] === address);
      return former === undefined || former.homeAddress === address ? undefined : { homeAddress, nai };
    }
    case "contending": {
      const stays = homeAddress !== UNSPECIFIED && random.chance(0.7);
      return { homeAddress: stays ? homeAddress : random.pick(addresses), nai };
    }
  }
}

/** The key that it signs with, by what it shows. */
export function associationOf({ habit, nai }: Person, shownNai: string | undefined): typeof ASSOCIATION {
  if (shownNai === undefined || habit === "renaming") return ASSOCIATION;
  return nai === OWN_NAI ? OWN_ASSOCIATION : NAI_ASSOCIATION;
}
