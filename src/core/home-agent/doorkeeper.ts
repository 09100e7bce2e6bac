/**
 * Lets in what is worth the work of other members: requests that are authentic and new. Everything else is refused where it
 * arrives, or gets no more than a small share: strangers can send faster than a cluster can relay, find owners and keep
 * temporary bindings, and what they send looks like requests.
 */
import type { BindingTable } from "../bindings/binding-table.ts";
import type { LocationTable } from "../bindings/location-table.ts";
import type { Now } from "../now.ts";
import type { Refusal, RegistrationEngine } from "../registration/engine.ts";
import { identityOf } from "../registration/identity.ts";
import { authenticatorOfMobile } from "../registration/request-extensions.ts";
import { TokenBucket } from "../registration/token-bucket.ts";
import type { ServedRequest } from "./owner.ts";
import { RecentRequests } from "./recent-requests.ts";

/**
 * Of requests that may be of use one at a time: repetitions that an owner answers as it did before (RFC 5944 3.8.2.2),
 * mobiles whose clocks are wrong and who need a 133, mobiles that leave out their NAI.
 */
const DOUBTFUL_PER_SECOND = 200;

type Arrival = Pick<ServedRequest, "request" | "source" | "destination">;

export class Doorkeeper {
  readonly #engine: () => RegistrationEngine;
  readonly #table: BindingTable;
  readonly #locations: LocationTable;
  readonly #doubtful = new TokenBucket(DOUBTFUL_PER_SECOND);
  readonly #recent = new RecentRequests();

  constructor(options: {
    readonly engine: () => RegistrationEngine;
    readonly table: BindingTable;
    readonly locations: LocationTable;
  }) {
    this.#engine = options.engine;
    this.#table = options.table;
    this.#locations = options.locations;
  }

  /** `undefined` if it is let in. */
  refusal({ request, source, destination }: Arrival, now: Now): Refusal | undefined {
    const identity = identityOf(request);
    const row = this.#table.find(identity);
    const known = row ?? this.#locations.find(identity);
    const arrival = { source, destination, nowMs: now.wallMs };
    const screened = this.#engine().screen(request, arrival, known, row !== undefined);
    if (typeof screened !== "string") return screened;
    // Only authentic requests are remembered, or strangers could displace them.
    if (screened === "authentic" && this.#recent.isNew(authenticatorOfMobile(request))) return undefined;
    return this.#doubtful.take(now.wallMs) ? undefined : OVER_RATE;
  }
}

const OVER_RATE: Refusal = { outcome: "discard", reason: "doubtful-rate" };
