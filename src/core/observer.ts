/** Where the core reports what happened. Counters cost next to nothing; events may end up in a log, rate-limited. */
export interface Observer {
  count(counter: CoreCounter): void;
  countBy(counter: CoreLabeledCounter, label: string): void;
  event(event: CoreEvent, fields: Readonly<Record<string, string | number>>): void;
}

export type CoreCounter =
  | "requests-received"
  | "requests-served"
  | "replies-unmatched"
  | "bindings-expired"
  | "binding-conflicts"
  | "home-address-conflicts"
  | "digests-differing"
  | "registrations-degraded"
  | "requests-adopted";

export type CoreLabeledCounter =
  | "requests-relayed"
  | "replies-sent"
  | "relay-timeouts"
  | "temporaries-copied"
  | "temporaries-not-copied"
  | "datagrams-dropped"
  | "extensions-unsupported"
  | "members-differing"
  | "frames-received"
  | "frames-rejected";

export type CoreEvent =
  | "registration-accepted"
  | "registration-denied"
  | "pool-exhausted"
  | "datagram-dropped"
  | "relay-timeout"
  | "relay-refused"
  | "requests-adopted"
  | "binding-conflict"
  | "home-address-conflict"
  | "frame-rejected"
  | "member-alive"
  | "member-one-way"
  | "member-suspect"
  | "member-skewed"
  | "member-twice"
  | "member-unable"
  | "member-stores"
  | "members-differ"
  | "takeover-started"
  | "takeover-finished"
  | "backup-lagging"
  | "digests-differ"
  | "row-rejected"
  | "member-dead"
  | "member-restarted"
  | "clock-step-held"
  | "clock-step-undone"
  | "clock-set";
