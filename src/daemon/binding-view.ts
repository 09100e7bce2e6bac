/** Bindings as operators see them: owned ones, those that this HA is the ingress of, and temporary ones. */
import type { BindingView, DeletionView } from "../adapters/api/bindings.ts";
import type { Binding, CareOfBinding } from "../core/bindings/binding.ts";
import type { Location } from "../core/bindings/location.ts";
import type { TemporaryBinding } from "../core/bindings/temporary-bindings.ts";
import type { MemberId } from "../core/names.ts";
import { mobileKeyOf } from "../core/registration/identity.ts";
import { formatIdentification } from "../core/wire/identification.ts";
import { formatEndpoint, formatIpv4, type Ipv4Address } from "../core/wire/ipv4.ts";
import { RequestFlag } from "../core/wire/registration-message.ts";

export type AddressOf = (member: MemberId) => Ipv4Address;

/** `undefined` for a tombstone, as there is no binding any more. `self` owns the binding, or backs it up. */
export function viewOfBinding(binding: Binding, self: MemberId, addressOf: AddressOf): BindingView | undefined {
  const { registration, ownership } = binding;
  const latest = registration.careOfAddresses.at(-1);
  if (latest === undefined) return undefined;
  return {
    mobile: binding.mobile,
    homeAddress: formatIpv4(binding.homeAddress),
    nai: binding.nai ?? null,
    careOfAddress: formatIpv4(latest.careOfAddress),
    careOfAddresses: registration.careOfAddresses.map(viewOfCareOf),
    foreignAgent: formatEndpoint(latest.foreignAgent),
    owner: ownership.owner,
    ownerAddress: formatIpv4(addressOf(ownership.owner)),
    roles: [ownership.owner === self ? "owner" : "backup", ...(latest.ingress === self ? (["ingress"] as const) : [])],
    state: "permanent",
    lifetime: latest.lifetimeSeconds,
    expiresAt: viewOfTime(latest.expiresAtMs),
    identification: formatIdentification(registration.identification),
    generation: ownership.generation,
  };
}

/** The same for a tombstone. */
export function viewOfRemains({ mobile, homeAddress, nai, ownership }: Binding): DeletionView {
  return { mobile, homeAddress: formatIpv4(homeAddress), nai: nai ?? null, owner: ownership.owner };
}

/** `undefined` if this HA only knows who the owner is. */
export function viewOfLocation(location: Location, addressOf: AddressOf): BindingView | undefined {
  const { ingress } = location;
  if (ingress === undefined) return undefined;
  return {
    mobile: location.mobile,
    homeAddress: formatIpv4(location.homeAddress),
    nai: location.nai ?? null,
    careOfAddress: formatIpv4(ingress.careOfAddress),
    careOfAddresses: [],
    foreignAgent: formatEndpoint(ingress.foreignAgent),
    owner: location.owner,
    ownerAddress: formatIpv4(addressOf(location.owner)),
    roles: ["ingress"],
    state: "permanent",
    lifetime: ingress.lifetimeSeconds,
    expiresAt: viewOfTime(ingress.expiresAtMs),
    identification: formatIdentification(ingress.identification),
    generation: location.generation,
  };
}

export function viewOfTemporary(binding: TemporaryBinding, relayTimeoutMs: number, addressOf: AddressOf): BindingView {
  return {
    mobile: mobileKeyOf(binding) ?? "ip:0.0.0.0",
    homeAddress: formatIpv4(binding.homeAddress),
    nai: binding.nai ?? null,
    careOfAddress: formatIpv4(binding.careOfAddress),
    careOfAddresses: [],
    foreignAgent: formatEndpoint(binding.foreignAgent),
    owner: binding.owner,
    ownerAddress: formatIpv4(addressOf(binding.owner)),
    roles: ["ingress"],
    state: "temporary",
    lifetime: null,
    expiresAt: viewOfTime(binding.createdAtMs + relayTimeoutMs),
    identification: formatIdentification(binding.identification),
    generation: null,
  };
}

function viewOfCareOf(binding: CareOfBinding): BindingView["careOfAddresses"][number] {
  return {
    careOfAddress: formatIpv4(binding.careOfAddress),
    foreignAgent: formatEndpoint(binding.foreignAgent),
    lifetime: binding.lifetimeSeconds,
    expiresAt: viewOfTime(binding.expiresAtMs),
    flags: (["S", "B", "D", "M", "G", "T"] as const).filter((letter) => (binding.flags & RequestFlag[letter]) !== 0),
  };
}

/** `null` means never. */
export function viewOfTime(timeMs: number): string | null {
  return timeMs === Number.POSITIVE_INFINITY ? null : new Date(timeMs).toISOString();
}
