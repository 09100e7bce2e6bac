/**
 * Whoever sends packets to mobiles, by any member that is announced. Packets go as the data plane's programs send them: by the entry
 * that the member was told, else to the first home of the address that is alive, and from there by its entry or nowhere.
 */
import type { Binding, CareOfBinding } from "../core/bindings/binding.ts";
import { isTombstone, withoutExpired } from "../core/bindings/mobility-bindings.ts";
import type { Tunnel } from "../core/forwarding/forwarding-entry.ts";
import { formatIpv4, type Ipv4Address, UNSPECIFIED } from "../core/wire/ipv4.ts";
import type { Mobiles } from "./mobiles.ts";
import { EPOCH_MS, type SimulatedNode } from "./node.ts";
import type { Random } from "./random.ts";
import { FORWARDING_LEASE_MS } from "./settings.ts";
import { noteViolation } from "./violations.ts";
import type { World } from "./world.ts";

const INTERVAL_MS = 40;
/** From the end of whatever struck the cluster until all owners have told all homes. */
const CONVERGENCE_MS = 5000;
/** What a change takes to be known to whoever forwards. */
const TOLD_MS = 600;
/** Lifetimes are looked at once a second, by clocks that differ. */
const EXPIRY_SLACK_MS = 2500;

export class Correspondents {
  readonly violations: string[] = [];
  readonly #world: World;
  readonly #mobiles: Mobiles;
  readonly #random: Random;
  /** What the owner of the mobile at an address was seen to have, and since when. */
  readonly #seen = new Map<
    Ipv4Address,
    { readonly careOfAddresses: readonly CareOfBinding[]; readonly sinceMs: number }
  >();
  /** Since when an entry has not been what its owner says, by member and address. */
  #wrongSinceMs = new Map<string, number>();
  /** When a disk was last seen to be slow, or to take nothing. */
  #badDiskAtMs = Number.NEGATIVE_INFINITY;

  constructor(world: World, mobiles: Mobiles, random: Random) {
    this.#world = world;
    this.#mobiles = mobiles;
    this.#random = random;
    this.#send();
    this.#look();
  }

  #send(): void {
    const announced = this.#world.nodes.filter((node) => node.hasBeenServingFor(0));
    const addresses = this.#mobiles.mobiles.flatMap(({ homeAddress }) =>
      homeAddress === UNSPECIFIED ? [] : [homeAddress],
    );
    if (announced.length > 0 && addresses.length > 0) {
      const homeAddress = this.#random.pick(addresses);
      this.#sendBy(this.#random.pick(announced), homeAddress);
    }
    this.#world.queue.after(INTERVAL_MS, () => this.#send());
  }

  #sendBy(node: SimulatedNode, homeAddress: Ipv4Address): void {
    const tunnels = this.#tunnelsOf(node, homeAddress) ?? this.#passOn(node, homeAddress);
    const row = this.#ownRow(homeAddress);
    if (row === undefined || this.#hasChangedLately(row) || !this.#isCalm()) return;
    const expected = row.registration.careOfAddresses.map(({ careOfAddress }) => formatIpv4(careOfAddress));
    const reached = tunnels?.map(({ careOfAddress }) => formatIpv4(careOfAddress)) ?? ["nobody"];
    if (String(reached) !== String(expected))
      this.#violated(`a packet for ${row.mobile} that comes to ${node.id} reaches ${reached}, not ${expected}`);
  }

  /** At the first home that is alive, one hop on. */
  #passOn(node: SimulatedNode, homeAddress: Ipv4Address): readonly Tunnel[] | undefined {
    const home = node.agent.homesOf(homeAddress).find((id) => node.aliveMembers.includes(id));
    if (home === undefined || home === node.id) return undefined;
    node.input({ type: "missed", homeAddresses: [homeAddress] });
    const { state } = this.#world.node(home);
    return state === "down" ? undefined : this.#tunnelsOf(this.#world.node(home), homeAddress);
  }

  /** Those that have not ended. */
  #tunnelsOf({ tunnels }: SimulatedNode, homeAddress: Ipv4Address): readonly Tunnel[] | undefined {
    const timeMs = EPOCH_MS + this.#world.queue.nowMs;
    const live = tunnels.get(homeAddress)?.filter(({ expiresAtMs }) => expiresAtMs > timeMs) ?? [];
    return live.length > 0 ? live : undefined;
  }

  #look(): void {
    if (!this.#world.nodes.every(hasGoodDisk)) this.#badDiskAtMs = this.#world.queue.nowMs;
    const before = this.#wrongSinceMs;
    this.#wrongSinceMs = new Map();
    for (const node of this.#world.nodes) {
      if (node.state !== "running") continue;
      for (const [homeAddress, tunnels] of node.tunnels) this.#checkTold(node, homeAddress, tunnels, before);
    }
    this.#world.queue.after(INTERVAL_MS, () => this.#look());
  }

  /** What a member forwards by that has no row of its own or as a backup is what the owner says, but for as long as a lease lasts. */
  #checkTold(
    node: SimulatedNode,
    homeAddress: Ipv4Address,
    tunnels: readonly Tunnel[],
    before: ReadonlyMap<string, number>,
  ) {
    const { nowMs } = this.#world.queue;
    const held = node.agent.findBinding({ homeAddress, nai: undefined });
    const isHolder = held?.ownership.owner === node.id || held?.ownership.backups.includes(node.id);
    if (held !== undefined && isHolder && !isTombstone(held)) return;
    const row = this.#ownRow(homeAddress);
    const careOf = row?.registration.careOfAddresses ?? [];
    const isTrue = tunnels.every(({ careOfAddress, expiresAtMs }) =>
      careOf.some((entry) => entry.careOfAddress === careOfAddress && entry.expiresAtMs >= expiresAtMs),
    );
    if (isTrue) return;
    const key = `${node.id} ${homeAddress}`;
    const sinceMs = before.get(key) ?? nowMs;
    this.#wrongSinceMs.set(key, sinceMs);
    // Whoever is cut off may know no better, for as long as mobiles have lifetimes there.
    const isLate = nowMs - sinceMs > FORWARDING_LEASE_MS + EXPIRY_SLACK_MS;
    if (isLate && this.#isCalm())
      this.#violated(`${node.id} forwards packets of ${formatIpv4(homeAddress)} otherwise than its owner says`);
  }

  /** Or is about to. */
  #hasChangedLately({ homeAddress, registration: { careOfAddresses } }: Binding): boolean {
    const { nowMs } = this.#world.queue;
    const seen = this.#seen.get(homeAddress);
    const isSeen = seen?.careOfAddresses === careOfAddresses;
    if (!isSeen) this.#seen.set(homeAddress, { careOfAddresses, sinceMs: nowMs });
    const isNews = !isSeen || nowMs - seen.sinceMs < TOLD_MS;
    return isNews || careOfAddresses.some(({ expiresAtMs }) => expiresAtMs - EPOCH_MS - nowMs < EXPIRY_SLACK_MS);
  }

  /** Of whoever owns the mobile that has the address. */
  #ownRow(homeAddress: Ipv4Address): Binding | undefined {
    for (const node of this.#world.nodes) {
      if (!node.hasBeenServingFor(0)) continue;
      const row = node.agent.findBinding({ homeAddress, nai: undefined });
      const isLive = row !== undefined && !isTombstone(withoutExpired(row, EPOCH_MS + this.#world.queue.nowMs));
      if (isLive && row.ownership.owner === node.id) return row;
    }
    return undefined;
  }

  /** Nothing has struck the cluster lately, and its members agree on who they are. */
  #isCalm(): boolean {
    const { nodes, queue } = this.#world;
    const running = nodes.filter(
      ({ state, downSinceMs }) => state !== "down" || downSinceMs > queue.nowMs - CONVERGENCE_MS,
    );
    return (
      this.#world.wasWholeSince(queue.nowMs - CONVERGENCE_MS) &&
      this.#badDiskAtMs < queue.nowMs - CONVERGENCE_MS &&
      running.every((node) => node.hasBeenServingFor(CONVERGENCE_MS))
    );
  }

  #violated(violation: string): void {
    noteViolation(this.violations, this.#world.queue.nowMs, violation);
  }
}

function hasGoodDisk({ disk, diskDeadSinceMs }: SimulatedNode): boolean {
  return diskDeadSinceMs === undefined && disk.extraMs === 0;
}
