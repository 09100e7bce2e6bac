import type { MobileIdentity } from "../names.ts";
import { directedBroadcast, formatIpv4, type Ipv4Address, type Ipv4Range, UNSPECIFIED } from "../wire/ipv4.ts";
import { canonicalNai, realmOf } from "../wire/nai.ts";
import type { ForeignAgentAssociation, MobileAssociation, SecurityAssociation } from "./association.ts";
import { type RangeEntry, RangeIndex } from "./range-index.ts";

type AssociationList = "mobiles" | "foreign-agents";

/** Two associations that no request could tell apart. The indices are those of the constructor's lists. */
export class DuplicateAssociationError extends Error {
  override readonly name = "DuplicateAssociationError";
  readonly list: AssociationList;
  readonly firstIndex: number;
  readonly secondIndex: number;

  constructor(list: AssociationList, firstIndex: number, secondIndex: number, what: string) {
    super(`${list}: associations ${firstIndex} and ${secondIndex} are both for ${what}`);
    this.list = list;
    this.firstIndex = firstIndex;
    this.secondIndex = secondIndex;
  }
}

/**
 * The security associations of a home agent.
 *
 * A mobile has every association whose selector matches it. If several of them have the same SPI, the most specific one
 * applies: by NAI, then by home address, by range (narrowest first), and by realm.
 */
export class AssociationTable {
  readonly mobiles: readonly MobileAssociation[];
  readonly foreignAgents: readonly ForeignAgentAssociation[];
  readonly #byNai: ReadonlyMap<string, readonly MobileAssociation[]>;
  readonly #byRealm: ReadonlyMap<string, readonly MobileAssociation[]>;
  readonly #byHomeAddress: RangeIndex<MobileAssociation>;
  readonly #byForeignAgent: RangeIndex<ForeignAgentAssociation>;

  /** Throws a DuplicateAssociationError where two have the same selector and SPI. */
  constructor(mobiles: readonly MobileAssociation[], foreignAgents: readonly ForeignAgentAssociation[]) {
    this.mobiles = mobiles;
    this.foreignAgents = foreignAgents;
    const byNai = new Map<string, MobileAssociation[]>();
    const byRealm = new Map<string, MobileAssociation[]>();
    const byHomeAddress: RangeEntry<MobileAssociation>[] = [];
    for (const association of mobiles) {
      const selector = association.mobiles;
      if (selector.by === "home-addresses") byHomeAddress.push({ range: selector.range, item: association });
      else {
        const [index, name] =
          selector.by === "nai" ? [byNai, canonicalNai(selector.nai)] : [byRealm, selector.realm.toLowerCase()];
        const namesakes = index.get(name) ?? [];
        if (namesakes.length === 0) index.set(name, namesakes);
        addDistinct(association, namesakes, "mobiles", mobiles, () => `${selector.by} ${name}`);
      }
    }
    this.#byNai = byNai;
    this.#byRealm = byRealm;
    this.#byHomeAddress = new RangeIndex(byHomeAddress);
    this.#byForeignAgent = new RangeIndex(
      foreignAgents.map((association) => {
        const prefix = association.foreignAgents;
        return { range: { first: prefix.address, last: directedBroadcast(prefix) }, item: association };
      }),
    );
    rejectDuplicateRanges("mobiles", mobiles, this.#byHomeAddress);
    rejectDuplicateRanges("foreign-agents", foreignAgents, this.#byForeignAgent);
  }

  /** Whether some mobiles are known by NAI alone, so that a home address doesn't tell which keys its mobile may have. */
  get hasNamedMobiles(): boolean {
    return this.#byNai.size > 0 || this.#byRealm.size > 0;
  }

  /** The association that a mobile means by an SPI. */
  mobile(identity: MobileIdentity, spi: number): MobileAssociation | undefined {
    return this.#ofMobile(identity).find((association) => association.spi === spi);
  }

  /** Whether the mobile has any association. Requests of other mobiles are discarded silently (RFC 5944 3.8.2.1 a). */
  knowsMobile(identity: MobileIdentity): boolean {
    return this.anyForMobile(identity) !== undefined;
  }

  /**
   * The association to sign with when the mobile's own choice failed. The one "likely to exist in the mobile node"
   * (RFC 5944 3.8.2.1 a) is the most specific; among several of these it is the first, as new keys are added after old
   * ones.
   */
  anyForMobile(identity: MobileIdentity): MobileAssociation | undefined {
    return this.#ofMobile(identity)[0];
  }

  /** RFC 5944 3.5.4: by SPI and the source address of the request. */
  foreignAgent(address: Ipv4Address, spi: number): ForeignAgentAssociation | undefined {
    return this.#byForeignAgent.containing(address).find((association) => association.spi === spi);
  }

  /** The association to use where no SPI is given: the most specific one, and the first among several of these. */
  foreignAgentDefault(address: Ipv4Address): ForeignAgentAssociation | undefined {
    return this.#byForeignAgent.containing(address)[0];
  }

  knowsForeignAgent(address: Ipv4Address): boolean {
    return this.foreignAgentDefault(address) !== undefined;
  }

  /** Most specific first. */
  #ofMobile({ homeAddress, nai }: MobileIdentity): readonly MobileAssociation[] {
    const byNai = (nai !== undefined && this.#byNai.get(canonicalNai(nai))) || [];
    const byHomeAddress = homeAddress === UNSPECIFIED ? [] : this.#byHomeAddress.containing(homeAddress);
    const byRealm = (nai !== undefined && this.#byRealm.get(realmOf(nai) ?? "")) || [];
    return [...byNai, ...byHomeAddress, ...byRealm];
  }
}

function rejectDuplicateRanges<Association extends SecurityAssociation>(
  list: AssociationList,
  associations: readonly Association[],
  index: RangeIndex<Association>,
): void {
  let current: Ipv4Range | undefined;
  let sameRange: Association[] = [];
  for (const { range, item } of index.entries) {
    if (range.first !== current?.first || range.last !== current.last) sameRange = [];
    current = range;
    addDistinct(item, sameRange, list, associations, () => `${formatIpv4(range.first)}-${formatIpv4(range.last)}`);
  }
}

/** Adds an association to those of the same selector. Throws if one of them has the same SPI. */
function addDistinct<Association extends SecurityAssociation>(
  added: Association,
  sameSelector: Association[],
  list: AssociationList,
  associations: readonly Association[],
  describeSelector: () => string,
): void {
  const twin = sameSelector.find((association) => association.spi === added.spi);
  if (twin !== undefined) {
    const [firstIndex, secondIndex] = [associations.indexOf(twin), associations.lastIndexOf(added)];
    throw new DuplicateAssociationError(list, firstIndex, secondIndex, `${describeSelector()}, SPI ${added.spi}`);
  }
  sameSelector.push(added);
}
