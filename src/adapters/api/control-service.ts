/** What the control API needs of the daemon. Addresses and times are rendered by the daemon: the API passes them on. */
import type { Ipv4Address } from "../../core/wire/ipv4.ts";
import type {
  BindingPage,
  BindingView,
  CountersView,
  DeletionView,
  ForwardingCountersView,
  ForwardingPage,
  PeerView,
  ReadinessView,
  ReloadView,
  RoutesView,
  StatusView,
} from "./schema.ts";

export interface DeletionOptions {
  /** The mobile is let in again whatever Identification it had used, also where its binding is over. */
  readonly forgetReplay: boolean;
}

export interface ControlService {
  status(): StatusView;
  /** One page: `query.limit` bindings at most. Throws `ControlError` "stale-cursor" if `query.after` can't be continued. */
  bindings(query: BindingQuery): BindingPage;
  binding(mobile: MobileName): BindingView | undefined;
  /**
   * Deregisters the mobile as if its lifetime had ended; resolves with whose binding it was, `undefined` if there is none.
   * Rejects with `ControlError` "not-owner" where another member owns it, "unavailable" if the deletion can't be stored; with
   * `forgetReplay` on too few backups as well.
   */
  deleteBinding(mobile: MobileName, options: DeletionOptions): Promise<DeletionView | undefined>;
  /** Gives all bindings away and withdraws, or ends that. */
  drain(wanted: boolean): void;
  /** Gives bindings to the members that their ranking places them on. */
  rebalance(): void;
  /** Reads the configuration file anew and takes it over, if it can; or only says what would become of it. */
  reload(checkOnly: boolean): Promise<ReloadView>;
  peers(): PeerView[];
  routes(): RoutesView;
  counters(): CountersView;
  /** One page, as of `bindings`. */
  forwarding(query: PageQuery): ForwardingPage;
  forwardingCounters(): ForwardingCountersView;
  readiness(): ReadinessView;
}

/** How an operator names a mobile. */
export type MobileName =
  | { readonly by: "home-address"; readonly homeAddress: Ipv4Address }
  | { readonly by: "nai"; readonly nai: string };

/** Which part of a listing. */
export interface PageQuery {
  readonly limit: number;
  /** `next` of the page before. */
  readonly after?: string;
}

/** Which bindings to list; all conditions apply. */
export interface BindingQuery extends PageQuery {
  readonly mobile?: MobileName;
  readonly owner?: string;
  readonly role?: "owner" | "ingress" | "backup";
  readonly state?: "temporary" | "permanent";
}

/** Codes of the API's error answers, and their HTTP status. */
export const errorStatus = {
  "bad-request": 400,
  "not-found": 404,
  "unknown-route": 404,
  "not-owner": 409,
  "stale-cursor": 410,
  internal: 500,
  unavailable: 503,
} as const;

export type ControlErrorCode = keyof typeof errorStatus;

/** A refusal that the operator should read. */
export class ControlError extends Error {
  readonly code: ControlErrorCode;

  constructor(code: ControlErrorCode, message: string) {
    super(message);
    this.name = "ControlError";
    this.code = code;
  }
}
