/** Counters: plain numbers by name, some of them split by the values of one label. */
const counterDefinitions = {
  "requests-received": { help: "Registration Requests received on the virtual address" },
  "requests-relayed": { label: "owner", help: "requests relayed to their owner" },
  "requests-served": { help: "requests this home agent decided as the owner" },
  "replies-sent": { label: "code", help: "Registration Replies sent to foreign agents and mobiles" },
  "replies-unmatched": { help: "relayed replies that no temporary binding waited for" },
  "relay-frames-sent": {
    label: "addressing",
    help: "relayed requests and replies to members with `l2` addressing, by how they went",
  },
  "relay-timeouts": { label: "owner", help: "temporary bindings whose owner did not reply in time" },
  "temporaries-copied": { label: "backup", help: "temporary bindings sent to the backup of this ingress" },
  "temporaries-not-copied": {
    label: "reason",
    help: "temporary bindings that no backup has, or that found no room here",
  },
  "requests-adopted": { help: "requests relayed again in place of an ingress that had died" },
  "datagrams-dropped": { label: "reason", help: "datagrams dropped without an answer" },
  "extensions-unsupported": {
    label: "type",
    help: "extensions of requests that nothing was made of: for one of type 0-127 the datagram was dropped, those from 128 on were skipped",
  },
  "receive-overflows": {
    label: "channel",
    help: "datagrams the kernel dropped unseen, as they came faster than they could be handled",
  },
  "frames-received": { label: "type", help: "authentic cluster frames" },
  "frames-rejected": { label: "reason", help: "cluster frames that were not authentic, fresh or well-formed" },
  "members-differing": {
    label: "member",
    help: "how often a member was found to have other members, weights or pools in its configuration",
  },
  "bfd-packets-dropped": { label: "reason", help: "BFD packets that were not for any session, or not well-formed" },
  "bfd-sessions-lost": { label: "neighbor", help: "BFD sessions that were up and went down" },
  reloads: { label: "outcome", help: "configurations read anew: applied, unchanged, refused or invalid" },
  "log-lines-lost": { help: "log lines that were not written, as stdout took none for too long" },
  "inputs-failed": { label: "input", help: "inputs dropped because of an error in the daemon" },
  "streams-ended": { label: "reason", help: "replication streams that ended or were rejected" },
  "paths-dropped": { label: "neighbor", help: "paths told by a router that were too many, too long, or no sense" },
  "send-errors": { label: "channel", help: "datagrams the system refused to send" },
  "receive-errors": { label: "channel", help: "errors that a socket reported on receiving" },
  "bindings-expired": { help: "bindings whose lifetime ended" },
  "registrations-degraded": { help: "registrations accepted with fewer backups in reach than `acks`" },
  "digests-differing": { help: "comparisons in which a copy held for another member was not what that one has" },
  "binding-conflicts": { help: "bindings of which two versions met" },
  "home-address-conflicts": {
    help: "bindings that ended because another mobile has had their home address for longer",
  },
} as const satisfies Record<string, { readonly help: string; readonly label?: string }>;

type Definitions = typeof counterDefinitions;
export type CounterName = keyof Definitions;
export type LabeledCounter = { [N in CounterName]: Definitions[N] extends { label: string } ? N : never }[CounterName];
export type PlainCounter = Exclude<CounterName, LabeledCounter>;

/**
 * Values of a label that are counted one by one, such as all types of extensions; further ones share `other`, so that no
 * sender can fill the memory.
 */
const MAXIMUM_LABELS = 256;
const OVERFLOW_LABEL = "other";

export class Counters {
  readonly #plain = new Map<PlainCounter, number>();
  readonly #labeled = new Map<LabeledCounter, Map<string, number>>();

  add(name: PlainCounter, amount = 1): void {
    this.#plain.set(name, (this.#plain.get(name) ?? 0) + amount);
  }

  addLabeled(name: LabeledCounter, label: string, amount = 1): void {
    const values = this.#labeled.get(name) ?? new Map<string, number>();
    this.#labeled.set(name, values);
    const key = values.has(label) || values.size < MAXIMUM_LABELS ? label : OVERFLOW_LABEL;
    values.set(key, (values.get(key) ?? 0) + amount);
  }

  /** For what somebody else counts. */
  setLabeled(name: LabeledCounter, label: string, total: number): void {
    this.addLabeled(name, label, total - (this.#labeled.get(name)?.get(label) ?? 0));
  }

  /** Over all values of its label, if it has one. */
  total(name: CounterName): number {
    const values = this.#labeled.get(name as LabeledCounter);
    if (values === undefined) return this.#plain.get(name as PlainCounter) ?? 0;
    return [...values.values()].reduce((sum, value) => sum + value, 0);
  }

  labeled(name: LabeledCounter, label: string): number {
    return this.#labeled.get(name)?.get(label) ?? 0;
  }

  /** All counters, those at 0 too, in the order of their definitions. */
  snapshot(): Record<CounterName, number | Record<string, number>> {
    const entries = Object.entries(counterDefinitions).map(([name, definition]) => [
      name,
      "label" in definition
        ? Object.fromEntries(this.#labeled.get(name as LabeledCounter) ?? [])
        : (this.#plain.get(name as PlainCounter) ?? 0),
    ]);
    return Object.fromEntries(entries);
  }
}
