/** Turns the security associations of the file into those of the engine, with their keys read. */
import {
  describeMobiles,
  type ForeignAgentAssociation,
  type MobileAssociation,
  type MobileSelector,
  type ReplayProtection,
} from "../core/auth/association.ts";
import { formatPrefix, type Ipv4Prefix } from "../core/wire/ipv4.ts";
import type { AssociationLists } from "./draft.ts";
import type { Path } from "./place.ts";
import type { Problems } from "./problem.ts";
import type { SecurityAssociationsFile } from "./schema.ts";
import { type DecodedKey, decodeHexKey, decodeTextKey, isWorldReadable, readSecretFile } from "./secrets.ts";
import type { Source } from "./source.ts";

type MobileEntry = SecurityAssociationsFile["mobiles"][number];
type ForeignAgentEntry = SecurityAssociationsFile["foreign-agents"][number];
type KeySources = Pick<MobileEntry, "key" | "key-hex" | "key-file">;

/** RFC 5944 5.1: "key sizes of 128 bits or greater". */
const RECOMMENDED_KEY_BYTES = 16;

const DEFAULT_WINDOW_MS = 7000;

export interface ResolvedAssociations {
  readonly mobiles: readonly MobileAssociation[];
  readonly foreignAgents: readonly ForeignAgentAssociation[];
}

/** Entries with problems are left out. */
export function resolveAssociations(all: readonly AssociationLists[], problems: Problems): ResolvedAssociations {
  const mobiles: MobileAssociation[] = [];
  const foreignAgents: ForeignAgentAssociation[] = [];
  const seen: FirstPlaces = new Map();
  for (const { source, base, lists } of all) {
    if (hasInlineKeys(lists) && isWorldReadable(source.file)) {
      problems.warn(source, base, "every user can read this file with keys; chmod 600 keeps them to its owner");
    }
    for (const [index, entry] of lists.mobiles.entries()) {
      const resolver = new EntryResolver(source, [...base, "mobiles", index], problems, seen);
      const association = resolver.mobile(entry);
      if (association) mobiles.push(association);
    }
    for (const [index, entry] of lists["foreign-agents"].entries()) {
      const resolver = new EntryResolver(source, [...base, "foreign-agents", index], problems, seen);
      const association = resolver.foreignAgent(entry);
      if (association) foreignAgents.push(association);
    }
  }
  return { mobiles, foreignAgents };
}

function hasInlineKeys(lists: SecurityAssociationsFile): boolean {
  const entries: readonly KeySources[] = [...lists.mobiles, ...lists["foreign-agents"]];
  return entries.some((entry) => entry.key !== undefined || entry["key-hex"] !== undefined);
}

/** Where the first association stands that requests would find by a selector and SPI. */
type FirstPlaces = Map<string, { readonly source: Source; readonly path: Path }>;

/** Resolves the entry at one place of a file. */
class EntryResolver {
  readonly #source: Source;
  readonly #path: Path;
  readonly #problems: Problems;
  readonly #seen: FirstPlaces;

  constructor(source: Source, path: Path, problems: Problems, seen: FirstPlaces) {
    this.#source = source;
    this.#path = path;
    this.#problems = problems;
    this.#seen = seen;
  }

  mobile(entry: MobileEntry): MobileAssociation | undefined {
    const selector = this.#mobileSelector(entry);
    const key = this.#key(entry);
    const replay = this.#replay(entry);
    if (!selector || !key) return undefined;
    this.#rejectDuplicate(describeMobiles(selector), entry.spi);
    return { spi: entry.spi, algorithm: entry.algorithm, key, replay, mobiles: selector };
  }

  foreignAgent(entry: ForeignAgentEntry): ForeignAgentAssociation | undefined {
    const foreignAgents = this.#foreignAgents(entry);
    const key = this.#key(entry);
    if (!foreignAgents || !key) return undefined;
    this.#rejectDuplicate(`foreign agents ${formatPrefix(foreignAgents)}`, entry.spi);
    return { spi: entry.spi, algorithm: entry.algorithm, key, foreignAgents };
  }

  #mobileSelector(entry: MobileEntry): MobileSelector | undefined {
    if (this.#oneOf(entry, ["nai", "home-address", "range", "realm"]) === undefined) return undefined;
    const { nai, realm, range, "home-address": address } = entry;
    if (nai !== undefined) return { by: "nai", nai };
    if (realm !== undefined) return { by: "realm", realm };
    if (range !== undefined) return { by: "home-addresses", range };
    return address === undefined ? undefined : { by: "home-addresses", range: { first: address, last: address } };
  }

  #foreignAgents(entry: ForeignAgentEntry): Ipv4Prefix | undefined {
    if (this.#oneOf(entry, ["network", "address"]) === undefined) return undefined;
    return entry.network ?? (entry.address === undefined ? undefined : { address: entry.address, length: 32 });
  }

  #replay(entry: MobileEntry): ReplayProtection {
    if (entry.replay === "timestamps") return { style: "timestamps", windowMs: entry.window ?? DEFAULT_WINDOW_MS };
    if (entry.window !== undefined) this.#error("window", "is for replay: timestamps only");
    return { style: "nonces" };
  }

  #key(entry: KeySources): Uint8Array | undefined {
    const name = this.#oneOf(entry, ["key", "key-hex", "key-file"]);
    if (name === undefined) return undefined;
    const key = this.#readKey(entry);
    if (key !== undefined && key.length < RECOMMENDED_KEY_BYTES) {
      const message = `the key has ${key.length} bytes; RFC 5944 5.1 expects ${RECOMMENDED_KEY_BYTES} or more`;
      this.#problems.warn(this.#source, [...this.#path, name], message);
    }
    return key;
  }

  #readKey(entry: KeySources): Uint8Array | undefined {
    const { key, "key-hex": digits, "key-file": file } = entry;
    if (key !== undefined) return this.#decoded("key", decodeTextKey(key, "a key that has to be so is a key-hex"));
    if (digits !== undefined) return this.#decoded("key-hex", decodeHexKey(digits));
    if (file === undefined) return undefined;
    return readSecretFile(file, this.#source, [...this.#path, "key-file"], this.#problems);
  }

  #decoded(name: string, decoded: DecodedKey): Uint8Array | undefined {
    if (decoded.ok) return decoded.key;
    this.#error(name, decoded.problem);
    return undefined;
  }

  /** The name of the only key present among alternatives. */
  #oneOf<Entry extends object>(entry: Entry, names: readonly (keyof Entry & string)[]): string | undefined {
    const present = names.filter((name) => entry[name] !== undefined);
    if (present.length === 1) return present[0];
    const found = present.length === 0 ? "none" : present.join(" and ");
    this.#problems.error(this.#source, this.#path, `expected one of ${names.join(", ")}; found ${found}`);
    return undefined;
  }

  #rejectDuplicate(who: string, spi: number): void {
    const identity = `${who}, SPI ${spi}`;
    const first = this.#seen.get(identity);
    if (first) {
      const { line } = first.source.locate(first.path);
      this.#error("spi", `a second association for ${identity}; the first is at ${first.source.file}:${line}`);
    } else this.#seen.set(identity, { source: this.#source, path: this.#path });
  }

  #error(key: string, message: string): void {
    this.#problems.error(this.#source, [...this.#path, key], message);
  }
}
