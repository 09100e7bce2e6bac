/**
 * A binding as a row of the store: JSON with stable field names, readable by people and by `jq`. Addresses are dotted,
 * 64-bit numbers hexadecimal, `Infinity` is null. It is checked by hand, field by field, so that a million rows can be read
 * at a start.
 */

import { isMobileKey, type MobileKey } from "../names.ts";
import { formatIdentification } from "../wire/identification.ts";
import { type Endpoint, formatEndpoint, formatIpv4, type Ipv4Address, parseIpv4, UNSPECIFIED } from "../wire/ipv4.ts";
import type { Binding, CareOfBinding, Ownership, Registration } from "./binding.ts";

/** The row was not made by `encodeBindingRow`. */
export class BindingRowError extends Error {
  override readonly name = "BindingRowError";
  /**
   * Path of the field at fault, e.g. `registration.careOfAddresses[0].expiresAtMs`; empty if the row is not a JSON object.
   */
  readonly field: string;

  constructor(field: string, expected: string) {
    super(`binding row${field === "" ? "" : `, field ${field}`}: expected ${expected}`);
    this.field = field;
  }
}

/**
 * A change goes to the log and to backups, one right after the other, and a backup writes what it received, so the last
 * text is cached.
 */
let latest: { readonly binding: Binding; readonly row: string } | undefined;

export function encodeBindingRow(binding: Binding): string {
  if (latest?.binding === binding) return latest.row;
  const row = encode(binding);
  latest = { binding, row };
  return row;
}

function encode(binding: Binding): string {
  const { registration, ownership } = binding;
  return JSON.stringify({
    mobile: binding.mobile,
    homeAddress: formatIpv4(binding.homeAddress),
    nai: binding.nai ?? null,
    homeAddressSinceMs: binding.homeAddressSinceMs,
    dynamic: binding.dynamic,
    createdAtMs: binding.createdAtMs,
    registration: {
      identification: formatIdentification(registration.identification),
      replayStyle: registration.replayStyle,
      authenticator: registration.authenticator,
      association: registration.association,
      code: registration.code,
      lifetimeSeconds: registration.lifetimeSeconds,
      acceptedAtMs: registration.acceptedAtMs,
      replayResets: registration.replayResets,
      forgottenUntilMs: registration.forgottenUntilMs,
      counter: registration.counter,
      decidedBy: registration.decidedBy,
      careOfAddresses: registration.careOfAddresses.map((entry) => ({
        careOfAddress: formatIpv4(entry.careOfAddress),
        flags: entry.flags,
        lifetimeSeconds: entry.lifetimeSeconds,
        // JSON has no Infinity and writes null for it.
        expiresAtMs: entry.expiresAtMs,
        foreignAgent: formatEndpoint(entry.foreignAgent),
        ingress: entry.ingress,
        identification: formatIdentification(entry.identification),
      })),
      replayableUntilMs: registration.replayableUntilMs,
      retainUntilMs: registration.retainUntilMs,
      reservedUntilMs: registration.reservedUntilMs,
    },
    ownership: { owner: ownership.owner, backups: ownership.backups, generation: ownership.generation },
  });
}

/** Throws a BindingRowError. Fields that it does not know are ignored. */
export function decodeBindingRow(row: string): Binding {
  const fields = new Fields(parseJson(row), "");
  const binding: Binding = {
    mobile: fields.mobileKey("mobile"),
    homeAddress: fields.address("homeAddress"),
    nai: fields.isNull("nai") ? undefined : fields.text("nai"),
    homeAddressSinceMs: fields.time("homeAddressSinceMs"),
    dynamic: fields.flag("dynamic"),
    createdAtMs: fields.time("createdAtMs"),
    registration: decodeRegistration(fields.object("registration")),
    ownership: decodeOwnership(fields.object("ownership")),
  };
  // A row is found by its key, so the key must be that of the mobile that the row is about.
  if (!hasOwnKey(binding)) throw new BindingRowError("mobile", "the key of this NAI, or else of this home address");
  latest = { binding, row };
  return binding;
}

function hasOwnKey({ mobile, nai, homeAddress }: Binding): boolean {
  if (nai !== undefined) return mobile === `nai:${nai}`;
  return mobile.startsWith("ip:") && (homeAddress === UNSPECIFIED || mobile === `ip:${formatIpv4(homeAddress)}`);
}

function decodeRegistration(fields: Fields): Registration {
  return {
    identification: fields.identification("identification"),
    replayStyle: fields.replayStyle("replayStyle"),
    authenticator: fields.text("authenticator"),
    association: fields.text("association"),
    code: fields.integer("code"),
    lifetimeSeconds: fields.integer("lifetimeSeconds"),
    acceptedAtMs: fields.time("acceptedAtMs"),
    replayResets: fields.integer("replayResets"),
    forgottenUntilMs: fields.integer("forgottenUntilMs"),
    counter: fields.integer("counter"),
    decidedBy: fields.text("decidedBy"),
    careOfAddresses: fields.list("careOfAddresses", decodeCareOfBinding),
    replayableUntilMs: fields.time("replayableUntilMs"),
    retainUntilMs: fields.timeOrNever("retainUntilMs"),
    reservedUntilMs: fields.timeOrNever("reservedUntilMs"),
  };
}

function decodeCareOfBinding(value: unknown, path: string): CareOfBinding {
  const fields = new Fields(value, path);
  return {
    careOfAddress: fields.address("careOfAddress"),
    flags: fields.integer("flags"),
    lifetimeSeconds: fields.integer("lifetimeSeconds"),
    expiresAtMs: fields.timeOrNever("expiresAtMs"),
    foreignAgent: fields.endpoint("foreignAgent"),
    ingress: fields.text("ingress"),
    identification: fields.identification("identification"),
  };
}

function decodeOwnership(fields: Fields): Ownership {
  return {
    owner: fields.text("owner"),
    backups: fields.list("backups", (value, path) => {
      if (typeof value !== "string") throw new BindingRowError(path, "a string");
      return value;
    }),
    generation: fields.integer("generation"),
  };
}

function parseJson(row: string): unknown {
  try {
    return JSON.parse(row);
  } catch {
    return undefined;
  }
}

/** The fields of one JSON object, each read as what it must be. Paths are put together only for errors. */
class Fields {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #path: string;

  constructor(value: unknown, path: string) {
    if (typeof value !== "object" || value === null) throw new BindingRowError(path, "an object");
    this.#values = value as Readonly<Record<string, unknown>>;
    this.#path = path;
  }

  object(name: string): Fields {
    return new Fields(this.#values[name], this.#pathOf(name));
  }

  list<Item>(name: string, decode: (value: unknown, path: string) => Item): Item[] {
    const value = this.#values[name];
    if (!Array.isArray(value)) throw this.#error(name, "a list");
    return value.map((item, index) => decode(item, `${this.#pathOf(name)}[${index}]`));
  }

  isNull(name: string): boolean {
    return this.#values[name] === null;
  }

  text(name: string): string {
    const value = this.#values[name];
    if (typeof value !== "string") throw this.#error(name, "a string");
    return value;
  }

  flag(name: string): boolean {
    const value = this.#values[name];
    if (typeof value !== "boolean") throw this.#error(name, "true or false");
    return value;
  }

  integer(name: string): number {
    const value = this.#values[name];
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
      throw this.#error(name, "an integer of 0 or more");
    }
    return value;
  }

  /** Epoch ms; fractions are allowed. */
  time(name: string): number {
    const value = this.#values[name];
    if (typeof value !== "number") throw this.#error(name, "milliseconds since 1970");
    return value;
  }

  timeOrNever(name: string): number {
    return this.isNull(name) ? Number.POSITIVE_INFINITY : this.time(name);
  }

  address(name: string): Ipv4Address {
    const parsed = parseIpv4(this.text(name));
    if (parsed === undefined) throw this.#error(name, "an IPv4 address");
    return parsed;
  }

  endpoint(name: string): Endpoint {
    const value = this.text(name);
    const colon = value.indexOf(":");
    const address = colon < 0 ? undefined : parseIpv4(value.slice(0, colon));
    const portText = value.slice(colon + 1);
    const port = Number(portText);
    if (address === undefined || !/^\d{1,5}$/.test(portText) || port > 0xffff) throw this.#error(name, "ADDRESS:PORT");
    return { address, port };
  }

  identification(name: string): bigint {
    const value = this.text(name);
    if (!/^0x[0-9a-f]{16}$/.test(value)) throw this.#error(name, "0x and 16 hexadecimal digits");
    return BigInt(value);
  }

  replayStyle(name: string): Registration["replayStyle"] {
    const value = this.text(name);
    if (value !== "timestamps" && value !== "nonces") throw this.#error(name, '"timestamps" or "nonces"');
    return value;
  }

  mobileKey(name: string): MobileKey {
    const value = this.text(name);
    if (!isMobileKey(value)) throw this.#error(name, '"nai:..." or "ip:..."');
    return value;
  }

  #pathOf(name: string): string {
    return this.#path === "" ? name : `${this.#path}.${name}`;
  }

  #error(name: string, expected: string): BindingRowError {
    return new BindingRowError(this.#pathOf(name), expected);
  }
}
