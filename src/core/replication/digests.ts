/**
 * Digests of the rows that two members must both hold: owner and backup compare them to find what they don't agree on,
 * without looking at every row. Kept up to date with each change. Members trust each other, so no collisions are made on
 * purpose.
 */
import type { Binding } from "../bindings/binding.ts";
import type { MemberId } from "../names.ts";
import { hashText, mix } from "../protocol/hash.ts";
import { DIGEST_BUCKETS } from "../protocol/stream-messages.ts";

export class Digests {
  readonly #self: MemberId;
  /** By the other member: rows owned here and backed up there, and the other way round. */
  readonly #outgoing = new Map<MemberId, Uint32Array>();
  readonly #incoming = new Map<MemberId, Uint32Array>();

  constructor(self: MemberId) {
    this.#self = self;
  }

  rowChanged(before: Binding | undefined, after: Binding | undefined): void {
    if (before !== undefined) this.#toggle(before);
    if (after !== undefined) this.#toggle(after);
  }

  /** Of the rows owned here that `backup` must hold. */
  outgoing(backup: MemberId): readonly number[] {
    return [...digestsOf(this.#outgoing, backup)];
  }

  /** Buckets in which the rows held here for `owner` are not those that it told of. */
  differing(owner: MemberId, told: readonly number[]): number[] {
    const ours = digestsOf(this.#incoming, owner);
    return told.flatMap((digest, bucket) => (ours[bucket] === digest ? [] : [bucket]));
  }

  /** Exclusive or: the same operation adds a row and takes it out. */
  #toggle(row: Binding): void {
    const { owner, backups } = row.ownership;
    if (owner === this.#self) {
      for (const backup of backups) toggle(digestsOf(this.#outgoing, backup), row);
    } else if (backups.includes(this.#self)) toggle(digestsOf(this.#incoming, owner), row);
  }
}

export function bucketOf(row: Pick<Binding, "mobile">): number {
  return hashText(row.mobile, 0) % DIGEST_BUCKETS;
}

function digestsOf(digests: Map<MemberId, Uint32Array>, member: MemberId): Uint32Array {
  let buckets = digests.get(member);
  if (buckets === undefined) {
    buckets = new Uint32Array(DIGEST_BUCKETS);
    digests.set(member, buckets);
  }
  return buckets;
}

function toggle(buckets: Uint32Array, row: Binding): void {
  const bucket = bucketOf(row);
  buckets[bucket] = (buckets[bucket] ?? 0) ^ versionHash(row);
}

/** Of what the merge rule compares, not of the content: copies drop expired care-of addresses each in its own time. */
function versionHash({ mobile, registration, ownership }: Binding): number {
  const { identification, counter, acceptedAtMs, decidedBy } = registration;
  let hash = hashText(mobile, 1) ^ hashText(decidedBy, 2);
  hash = mix(hash ^ Number(identification & 0xffff_ffffn));
  hash = mix(hash ^ Number((identification >> 32n) & 0xffff_ffffn));
  hash = mix(hash ^ counter);
  hash = mix(hash ^ (acceptedAtMs % 2 ** 32));
  return mix(hash ^ ownership.generation);
}
