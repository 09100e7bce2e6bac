/** A version of a row names one content: whoever changes a row makes a newer version, or copies could not tell which is to last. */
import type { Binding } from "../core/bindings/binding.ts";
import { registrationBytes, versionOf } from "../core/bindings/merge.ts";
import { formatIpv4 } from "../core/wire/ipv4.ts";
import { EPOCH_MS } from "./node.ts";
import type { World } from "./world.ts";

/** Clocks of members may differ by so much, and what has expired is dropped up to a second later. */
const CLOCK_SLACK_MS = 3000;

export class Versions {
  readonly #world: World;
  /** The first row seen of each version. */
  readonly #registrations = new Map<string, Binding>();
  readonly #backups = new Map<string, string>();
  readonly #seen = new WeakSet<Binding>();

  constructor(world: World) {
    this.#world = world;
  }

  /** Answers what is wrong with a row, if anything is. */
  check(row: Binding): string | undefined {
    if (this.#seen.has(row)) return undefined;
    this.#seen.add(row);
    return this.#checkRegistration(row) ?? this.#checkOwnership(row);
  }

  #checkRegistration(row: Binding): string | undefined {
    const version = `${row.mobile} ${Object.values(versionOf(row)).join(" ")}`;
    const first = this.#registrations.get(version);
    if (first === undefined) {
      this.#registrations.set(version, row);
      return undefined;
    }
    const isSame = Buffer.compare(registrationBytes(withoutCareOf(row)), registrationBytes(withoutCareOf(first))) === 0;
    if (isSame && !this.#lacks(first, row) && !this.#lacks(row, first)) return undefined;
    return `two registrations of ${row.mobile} differ and have one version: ${describe(first)} and ${describe(row)}`;
  }

  /** A care-of address that time has not ended is in one and not in the other. */
  #lacks(one: Binding, other: Binding): boolean {
    const nowMs = EPOCH_MS + this.#world.queue.nowMs;
    return other.registration.careOfAddresses.some(
      ({ careOfAddress, expiresAtMs }) =>
        expiresAtMs > nowMs + CLOCK_SLACK_MS &&
        !one.registration.careOfAddresses.some((entry) => entry.careOfAddress === careOfAddress),
    );
  }

  /** A member that has lost its disk restarts its generations; then the list of backups decides. */
  #checkOwnership({ mobile, createdAtMs, ownership: { owner, backups, generation } }: Binding): string | undefined {
    if (this.#world.diskLostAtMs > 0) return undefined;
    // When all have forgotten a mobile, its generations begin anew.
    const version = `${mobile} ${createdAtMs} ${generation} ${owner}`;
    const first = this.#backups.get(version) ?? backups.join();
    this.#backups.set(version, first);
    if (first === backups.join()) return undefined;
    return `two ownerships of ${mobile} differ and have one version: ${owner}/${generation} with ${first} and with ${backups}`;
  }
}

function withoutCareOf(row: Binding): Binding {
  return { ...row, registration: { ...row.registration, careOfAddresses: [] } };
}

function describe({ homeAddress, dynamic, registration }: Binding): string {
  return `${formatIpv4(homeAddress)}${dynamic ? " of a pool" : ""} #${registration.counter} x${registration.careOfAddresses.length}`;
}
