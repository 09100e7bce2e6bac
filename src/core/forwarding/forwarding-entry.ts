/** What a home agent's data plane needs to know of a mobile node that is away: how its packets reach it (RFC 5944 4.2.3). */
import type { Binding, CareOfBinding } from "../bindings/binding.ts";
import type { Ipv4Address } from "../wire/ipv4.ts";
import { RequestFlag } from "../wire/registration-message.ts";

/** IP in IP (RFC 2003), GRE (RFC 2784), or minimal encapsulation (RFC 2004). */
export type Encapsulation = "ip-in-ip" | "gre" | "minimal";

export interface ForwardingEntry {
  readonly homeAddress: Ipv4Address;
  /** Oldest first; several only with simultaneous bindings. Empty: nothing is forwarded to or from this address any more. */
  readonly tunnels: readonly Tunnel[];
}

/** Between the virtual home agent address and a care-of address. */
export interface Tunnel {
  readonly careOfAddress: Ipv4Address;
  readonly encapsulation: Encapsulation;
  /** The mobile's own packets may come back through it (RFC 3024). */
  readonly isReverse: boolean;
  /** Epoch ms; `Infinity` for an infinite lifetime. */
  readonly expiresAtMs: number;
}

export function forwardingEntry({ homeAddress, registration }: Binding): ForwardingEntry {
  return { homeAddress, tunnels: registration.careOfAddresses.map(tunnelTo) };
}

function tunnelTo({ careOfAddress, flags, expiresAtMs }: CareOfBinding): Tunnel {
  return {
    careOfAddress,
    encapsulation: encapsulationOf(flags),
    isReverse: (flags & RequestFlag.T) !== 0,
    expiresAtMs,
  };
}

/** The flags are those of an accepted request, so policy has granted what they ask for. With both M and G either will do. */
export function encapsulationOf(flags: number): Encapsulation {
  if ((flags & RequestFlag.G) !== 0) return "gre";
  return (flags & RequestFlag.M) !== 0 ? "minimal" : "ip-in-ip";
}
