/** What becomes of the owner's answer to a request: it goes to the foreign agent, or back to the ingress that relayed it. */
import type { Binding } from "../bindings/binding.ts";
import type { LocationTable } from "../bindings/location-table.ts";
import type { LoadMeter } from "../members/load-meter.ts";
import type { MemberId } from "../names.ts";
import type { Now } from "../now.ts";
import { DISCARDED, type RelayReply } from "../protocol/datagrams.ts";
import type { Replication } from "../replication/replication.ts";
import type { Endpoint } from "../wire/ipv4.ts";
import type { Ingress } from "./ingress.ts";
import type { Answer, ServedRequest } from "./owner.ts";

export class Answers {
  readonly #virtualEndpoint: Endpoint;
  readonly #locations: LocationTable;
  readonly #replication: Replication;
  readonly #ingress: Ingress;
  readonly #registrations: LoadMeter;

  constructor(parts: {
    readonly virtualEndpoint: Endpoint;
    readonly locations: LocationTable;
    readonly replication: Replication;
    readonly ingress: Ingress;
    readonly registrations: LoadMeter;
  }) {
    this.#virtualEndpoint = parts.virtualEndpoint;
    this.#locations = parts.locations;
    this.#replication = parts.replication;
    this.#ingress = parts.ingress;
    this.#registrations = parts.registrations;
  }

  deliver(served: ServedRequest, { reply, accepted, binding }: Answer, now: Now): void {
    const { requestId, ingress } = served;
    if (accepted && binding !== undefined) {
      this.#registrations.count(now.monotonicMs);
      this.#locations.delete(binding.mobile);
      this.#replication.accepted(binding, ingress);
    }
    if (requestId === undefined) {
      if (reply !== undefined) this.#ingress.reply(reply, served.destination, served.source);
      return;
    }
    const message: RelayReply = {
      ...DISCARDED,
      requestId,
      destination: this.#virtualEndpoint,
      ...(binding && this.#told(binding, ingress)),
      ...(accepted &&
        binding && {
          boundUntilMs: boundUntilMs(served, binding),
          lease: this.#replication.leaseFor(ingress, binding.mobile, now),
        }),
      ...(reply && { reply }),
    };
    this.#ingress.answerRelayed(served, message, now);
  }

  /** What the ingress of a mobile is told of its row. */
  #told(binding: Binding, ingress: MemberId): Partial<RelayReply> {
    const location = this.#replication.locationFor(ingress, binding);
    const { mobile, homeAddressSinceMs, generation, backups, knownUntilMs } = location;
    return { mobile, homeAddressSinceMs, generation, backups, knownUntilMs };
  }
}

/** When what this very request made ends, epoch ms; 0 where it made nothing, or another foreign agent sent it. */
function boundUntilMs({ request, source }: ServedRequest, binding: Binding): number {
  const made = binding.registration.careOfAddresses.find(
    ({ identification, foreignAgent }) =>
      identification === request.identification &&
      foreignAgent.address === source.address &&
      foreignAgent.port === source.port,
  );
  return made?.expiresAtMs ?? 0;
}
