/**
 * Counters are plain numbers by name; some are split by the values of one label. docs/metrics.md is made from these
 * definitions by test/adapters/telemetry/counters.test.ts.
 */
export const counterDefinitions = {
  "requests-received": { help: "Registration Requests received on the virtual address." },
  "requests-relayed": { label: "owner", help: "Requests relayed to their owner." },
  "requests-served": { help: "Requests that this home agent decided as the owner." },
  "replies-sent": { label: "code", help: "Registration Replies sent to foreign agents and mobiles." },
  "replies-unmatched": { help: "Relayed replies for which there was no temporary binding." },
  "relay-frames-sent": {
    label: "addressing",
    help: "Relayed requests and replies to members with `l2` addressing, by the addressing that was actually used.",
  },
  "relay-timeouts": { label: "owner", help: "Temporary bindings whose owner did not reply in time." },
  "temporaries-copied": { label: "backup", help: "Temporary bindings sent to the backup of this ingress." },
  "temporaries-not-copied": {
    label: "reason",
    help: "Temporary bindings that no backup holds, or for which there was no room here.",
  },
  "requests-adopted": { help: "Requests relayed again in place of an ingress that had died." },
  "datagrams-dropped": { label: "reason", help: "Datagrams dropped without an answer." },
  "extensions-unsupported": {
    label: "type",
    help: "Extensions of requests that are not supported: types 0-127 led to the datagram being dropped, types from 128 on were skipped.",
  },
  "receive-overflows": {
    label: "channel",
    help: "Datagrams that the kernel dropped because they arrived faster than they could be handled.",
  },
  "frames-received": { label: "type", help: "Authentic frames from other members." },
  "frames-rejected": { label: "reason", help: "Frames that were not authentic, fresh or well-formed." },
  "members-differing": {
    label: "member",
    help: "How often a member was found to have different members, weights or pools in its configuration.",
  },
  "bfd-packets-dropped": { label: "reason", help: "BFD packets that belonged to no session or were not well-formed." },
  "bfd-sessions-lost": { label: "neighbor", help: "BFD sessions that were up and went down." },
  reloads: { label: "outcome", help: "Reloads of the configuration: applied, unchanged, refused or invalid." },
  "log-lines-lost": { help: "Log lines that were not written because stdout did not accept them for too long." },
  "inputs-failed": { label: "input", help: "Inputs dropped because of an error in the daemon." },
  "streams-ended": { label: "reason", help: "Replication streams that ended or were rejected." },
  "paths-dropped": {
    label: "neighbor",
    help: "Paths reported by a router that were too many, too long, or made no sense.",
  },
  "send-errors": { label: "channel", help: "Datagrams that the system refused to send." },
  "receive-errors": { label: "channel", help: "Errors that a socket reported while receiving." },
  "bindings-expired": { help: "Bindings whose lifetime ended." },
  "registrations-degraded": { help: "Registrations accepted with fewer backups in reach than `acks` asks for." },
  "rows-left-out": { help: "Rows and changes of a damaged store that could not be believed." },
  "digests-differing": { help: "Comparisons in which a copy held for another member differed from the original." },
  "binding-conflicts": { help: "Bindings of which two versions with different owners met." },
  "home-address-conflicts": {
    help: "Bindings that ended because another mobile has had their home address for longer.",
  },
} as const satisfies Record<string, { readonly help: string; readonly label?: string }>;

type Definitions = typeof counterDefinitions;
export type CounterName = keyof Definitions;
export type LabeledCounter = { [N in CounterName]: Definitions[N] extends { label: string } ? N : never }[CounterName];
export type PlainCounter = Exclude<CounterName, LabeledCounter>;

/**
 * How many values of a label are counted individually: enough for all types of extensions. Further values share `other`, so
 * that no sender can fill the memory.
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

  /** For totals that are counted elsewhere, such as in the kernel. */
  setLabeled(name: LabeledCounter, label: string, total: number): void {
    this.addLabeled(name, label, total - (this.#labeled.get(name)?.get(label) ?? 0));
  }

  /** The sum over all values of the label, if the counter has one. */
  total(name: CounterName): number {
    const values = this.#labeled.get(name as LabeledCounter);
    if (values === undefined) return this.#plain.get(name as PlainCounter) ?? 0;
    return [...values.values()].reduce((sum, value) => sum + value, 0);
  }

  labeled(name: LabeledCounter, label: string): number {
    return this.#labeled.get(name)?.get(label) ?? 0;
  }

  /** All counters, including those at 0, in the order of their definitions. */
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
