/**
 * The home agent's side of registration, RFC 5944 3.8: a request and what is known of its mobile go in, a decision comes
 * out.
 *
 *   mobile authentic? ─▶ understood? ─▶ retransmission, or fresh? ─▶ foreign agent authentic? ─▶ extensions known?
 *     no: discard, 131     no: 134        neither: 133                 no: discard, 132            no: 134, 140, 141
 *
 *   ─▶ for this home agent? ─▶ home address granted? ─▶ care-of address, tunnel, number granted? ─▶ storable? ─▶ accepted
 *        no: 136                 no: 128, 129, 130        no: 129, 134, 135, 137, 138, 139           no: 130
 *
 * The engine remembers only which addresses of its pool are taken, and a rate; rows belong to the caller.
 */
import type { KeyObject } from "node:crypto";
import type { AssociationTable } from "../auth/association-table.ts";
import type { Binding, CareOfBinding } from "../bindings/binding.ts";
import { expiryMs, grantedLifetimeSeconds, withCareOfAddress } from "../bindings/mobility-bindings.ts";
import type { MemberId } from "../names.ts";
import { UNSPECIFIED } from "../wire/ipv4.ts";
import {
  INFINITE_LIFETIME,
  type RegistrationRequest,
  type ReplyFields,
  RequestFlag,
} from "../wire/registration-message.ts";
import { ReplyCode } from "../wire/reply-code.ts";
import { acceptedBinding, type Grant, leftBehind, retransmittedBinding } from "./acceptance.ts";
import { authenticateForeignAgent, authenticateMobile, foreignAgentAssociation } from "./authentication.ts";
import {
  type Arrival,
  type Decision,
  type DenialReason,
  type DiscardReason,
  denialCodes,
  type KnownMobile,
  type Refusal,
  type RegistrationContext,
  type Screening,
} from "./decision.ts";
import { authenticatingIdentity, claimedIdentity, type Exchange, ownRow } from "./exchange.ts";
import { type GrantedHomeAddress, HomeAddresses } from "./home-address.ts";
import { mobileKeyOf } from "./identity.ts";
import { MobileQuota } from "./mobile-quota.ts";
import type { RegistrationPolicy } from "./policy.ts";
import { IdentificationRules } from "./replay-protection.ts";
import { buildReply } from "./reply-builder.ts";
import { signedNais } from "./request-extensions.ts";
import { refuseCareOfAddress, refuseExtensions, refuseHomeAgent, refuseTunnel } from "./service-checks.ts";
import { TokenBucket } from "./token-bucket.ts";

export type { Decision, DenialReason, Refusal, RegistrationContext } from "./decision.ts";

/** The flags without the reserved bits, which are "ignored on reception" (RFC 5944 3.3). */
const KNOWN_FLAGS = Object.values(RequestFlag).reduce((all, flag) => all | flag, 0);

/** Nothing is accepted by it. */
const UNDECIDED_CONTEXT = {
  ingress: "",
  current: undefined,
  homeAddressHolder: () => undefined,
  mustAsk: () => false,
  ownership: { owner: "", backups: [], generation: 0 },
  canAccept: false,
  runningMs: 0,
} satisfies Partial<RegistrationContext>;

export class RegistrationEngine {
  readonly #policy: RegistrationPolicy;
  readonly #associations: AssociationTable;
  readonly #identifications: IdentificationRules;
  readonly #homeAddresses: HomeAddresses;
  readonly #quota: MobileQuota;
  readonly #authenticationFailureReplies: TokenBucket;

  /** `nonceKey` is the same on all members of a cluster, so that any of them can take a mobile over. */
  constructor(options: {
    readonly self: MemberId;
    readonly policy: RegistrationPolicy;
    readonly associations: AssociationTable;
    readonly nonceKey: KeyObject;
  }) {
    this.#policy = options.policy;
    this.#associations = options.associations;
    this.#identifications = new IdentificationRules(options.nonceKey);
    this.#homeAddresses = new HomeAddresses(options.policy);
    this.#quota = new MobileQuota(options.self, options.policy.maximumMobilesPerAssociation);
    this.#authenticationFailureReplies = new TokenBucket(options.policy.authenticationFailureRepliesPerSecond);
  }

  decide(request: RegistrationRequest, context: RegistrationContext): Decision {
    const opened = this.#open(request, context);
    if (opened.verdict === "authentic") return this.#decideAuthentic(opened.exchange);
    if (opened.verdict === "failed") return this.#decideUnauthentic(opened.exchange);
    return discard(opened.verdict);
  }

  /**
   * Judges a request that has just arrived, whichever member owns its mobile: every member has the keys, so a request that
   * isn't authentic costs no other member anything. `known` is what this member knows of the mobile, which may be nothing.
   * `isHeld` says that it comes from a row, which is kept up to date; what was only heard of may have ended long ago.
   */
  screen(request: RegistrationRequest, arrival: Arrival, known: KnownMobile | undefined, isHeld: boolean): Screening {
    const identity = claimedIdentity(request, known);
    const mobile = identity && mobileKeyOf(identity);
    if (identity === undefined || mobile === undefined) return discard("unknown-mobile");
    const name = authenticatingIdentity(identity, this.#associations);
    const authentication = authenticateMobile(this.#associations, request, name);
    const { verdict } = authentication;
    if (verdict === "no-authentication-extension") return discard(verdict);
    if ("association" in authentication && verdict === "authentic") {
      const { replay } = authentication.association;
      // The clock that the timestamp has to match is that of the owner.
      const { maximumClockSkewMs } = this.#policy;
      const isTimely = this.#identifications.isTimely(
        replay,
        request.identification,
        arrival.nowMs,
        maximumClockSkewMs,
      );
      return isTimely ? verdict : "untimely";
    }
    // The home address may belong to a mobile with an NAI and a key that only its owner knows of.
    const isNamed = signedNais(request).length > 0;
    const isHolderCertain = isHeld && known?.homeAddress === request.homeAddress;
    if (!isNamed && !isHolderCertain && this.#associations.hasNamedMobiles) return "undecided";
    if (!("association" in authentication)) return discard("unknown-mobile");
    const context: RegistrationContext = { ...arrival, ...UNDECIDED_CONTEXT };
    const { association } = authentication;
    return this.#decideUnauthentic({ request, context, identity, mobile, row: undefined, association });
  }

  /** To be told of every change of a row, whatever its cause, in the order of the changes. */
  rowChanged(before: Binding | undefined, after: Binding | undefined): void {
    this.#homeAddresses.rowChanged(before, after);
    this.#quota.rowChanged(before, after);
  }

  /** Which mobile sent it, and whether that is authentic: RFC 5944 3.8.2.1 a. */
  #open(
    request: RegistrationRequest,
    context: RegistrationContext,
  ):
    | { readonly verdict: "authentic" | "failed"; readonly exchange: Exchange }
    | { readonly verdict: "no-authentication-extension" | "unknown-mobile" } {
    const identity = claimedIdentity(request, context.current);
    const mobile = identity && mobileKeyOf(identity);
    if (identity === undefined || mobile === undefined) return { verdict: "unknown-mobile" };
    const name = authenticatingIdentity(identity, this.#associations);
    const authentication = authenticateMobile(this.#associations, request, name);
    if (!("association" in authentication)) return authentication;
    const { verdict, association } = authentication;
    const row = ownRow(context, mobile, identity, association, this.#associations);
    return { verdict, exchange: { request, context, identity, mobile, row, association } };
  }

  /** Whether a failed authentication is answered depends on the foreign agent: RFC 5944 3.8.2.1 a. */
  #decideUnauthentic(exchange: Exchange): Refusal {
    const { request, context } = exchange;
    switch (authenticateForeignAgent(this.#associations, request, context.source.address)) {
      case "vouched":
        return this.#deny(exchange, "mobile-authentication");
      case "stranger":
        return this.#authenticationFailureReplies.take(context.nowMs)
          ? this.#deny(exchange, "mobile-authentication")
          : discard("authentication-failure-rate");
      case "unexpected":
        return discard("unexpected-foreign-home-authentication");
      case "failed":
      case "exempt":
        return discard("authentication-failure-unvouched");
    }
  }

  #decideAuthentic(exchange: Exchange): Decision {
    const { request, context } = exchange;
    if (request.fault !== undefined) return this.#deny(exchange, "poorly-formed-extension");
    const retransmitted = retransmittedBinding(exchange);
    if (retransmitted === undefined && !this.#isFresh(exchange)) return this.#deny(exchange, "identification-mismatch");
    const foreignAgent = authenticateForeignAgent(this.#associations, request, context.source.address);
    if (foreignAgent === "unexpected") return discard("unexpected-foreign-home-authentication");
    if (foreignAgent === "failed") return this.#deny(exchange, "foreign-agent-authentication");
    if (retransmitted !== undefined) {
      return { outcome: "duplicate", reply: this.#acceptanceReply(exchange, retransmitted) };
    }
    const refusal = refuseExtensions(request) ?? refuseHomeAgent(request, context, this.#policy);
    if (refusal !== undefined) return this.#deny(exchange, refusal);
    return request.lifetimeSeconds === 0 ? this.#deregister(exchange) : this.#register(exchange);
  }

  #register(exchange: Exchange): Decision {
    const { request, context, row } = exchange;
    const policy = this.#policy;
    const granted = this.#homeAddresses.choose(request.homeAddress, exchange);
    if ("denied" in granted) return this.#deny(exchange, granted.denied);
    if ("doubtful" in granted) return { outcome: "unclear", homeAddress: granted.doubtful, mobile: exchange.mobile };
    const refusal = refuseCareOfAddress(request, granted.homeAddress, context, policy) ?? refuseTunnel(request, policy);
    if (refusal !== undefined) return this.#deny(exchange, refusal);

    const wantsOthersKept = (request.flags & RequestFlag.S) !== 0;
    const canKeepOthers = policy.maximumSimultaneousBindings > 1;
    const others = row?.homeAddress === granted.homeAddress ? row.registration.careOfAddresses : [];
    const maximumSeconds = Math.min(policy.maximumLifetimeSeconds, context.lifetimeCapSeconds ?? INFINITE_LIFETIME);
    const lifetimeSeconds = grantedLifetimeSeconds(request.lifetimeSeconds, maximumSeconds);
    const careOfAddresses = withCareOfAddress(
      wantsOthersKept && canKeepOthers ? others : [],
      careOfBinding(exchange, lifetimeSeconds),
    );
    if (careOfAddresses.length > policy.maximumSimultaneousBindings) return this.#deny(exchange, "too-many-bindings");
    const code = wantsOthersKept && !canKeepOthers ? ReplyCode.AcceptedWithoutSimultaneousBindings : ReplyCode.Accepted;
    return this.#accept(exchange, granted, { code, lifetimeSeconds, careOfAddresses });
  }

  /** Of one care-of address, or of all by naming the home address as such: RFC 5944 3.8.2.2. */
  #deregister(exchange: Exchange): Decision {
    const { request, row } = exchange;
    const named = request.homeAddress === UNSPECIFIED ? (row?.homeAddress ?? UNSPECIFIED) : request.homeAddress;
    if (named === UNSPECIFIED || (row !== undefined && row.homeAddress !== named)) {
      return this.#deny(exchange, "nothing-to-deregister");
    }
    const granted = row ?? this.#homeAddresses.choose(named, exchange);
    if ("denied" in granted) return this.#deny(exchange, granted.denied);
    if ("doubtful" in granted) return { outcome: "unclear", homeAddress: granted.doubtful, mobile: exchange.mobile };
    const isForAll = request.careOfAddress === named || request.careOfAddress === request.homeAddress;
    const remaining = (row?.registration.careOfAddresses ?? []).filter(
      (entry) => !isForAll && entry.careOfAddress !== request.careOfAddress,
    );
    return this.#accept(exchange, granted, {
      code: ReplyCode.Accepted,
      lifetimeSeconds: 0,
      careOfAddresses: remaining,
    });
  }

  #accept(exchange: Exchange, homeAddress: GrantedHomeAddress, grant: Grant): Decision {
    if (!exchange.context.canAccept) return this.#deny(exchange, "store-unavailable");
    const binding = acceptedBinding(exchange, homeAddress, grant, this.#policy);
    if (!this.#quota.hasRoom(binding, exchange.row)) return this.#deny(exchange, "association-quota");
    const left = leftBehind(exchange, homeAddress.homeAddress, this.#associations, this.#policy);
    const others = [homeAddress.reclaimed, left];
    const reply = this.#acceptanceReply(exchange, binding);
    return { outcome: "accepted", reply, binding, others: others.filter((row) => row !== undefined) };
  }

  #isFresh({ request, context, association, mobile, row }: Exchange): boolean {
    const subject = { replay: association.replay, mobile: row?.mobile ?? mobile, last: row?.registration };
    return this.#identifications.isFresh(subject, request.identification, context.nowMs, context.runningMs);
  }

  /** Made from the row alone as far as possible, so that a retransmission gets a reply with the same bytes. */
  #acceptanceReply(exchange: Exchange, { mobile, homeAddress, registration }: Binding): Uint8Array {
    const { request, context, association } = exchange;
    const subject = { replay: association.replay, mobile, last: registration };
    return this.#reply(exchange, {
      code: registration.code,
      lifetimeSeconds: registration.lifetimeSeconds,
      homeAddress,
      identification: this.#identifications.inReply(subject, request.identification, context.nowMs),
    });
  }

  #deny(exchange: Exchange, reason: DenialReason): Refusal {
    const code = denialCodes[reason];
    return { outcome: "denied", code, reason, reply: this.#denial(exchange, code) };
  }

  #denial(exchange: Exchange, code: number): Uint8Array {
    const { request, context, association, mobile, row } = exchange;
    const subject = { replay: association.replay, mobile: row?.mobile ?? mobile, last: row?.registration };
    const identification =
      code === ReplyCode.IdentificationMismatch
        ? this.#identifications.inMismatchReply(subject, request.identification, context.nowMs)
        : this.#identifications.inReply(subject, request.identification, context.nowMs);
    // A sender that fails to authenticate does not learn the home address that belongs to an NAI.
    const isAuthentic = code !== ReplyCode.MobileAuthentication;
    const known = isAuthentic && row !== undefined ? row.homeAddress : UNSPECIFIED;
    return this.#reply(exchange, {
      code,
      // "MUST be copied ... unless the requested value is greater than the maximum" (RFC 5944 3.8.3.2), denials included.
      lifetimeSeconds: grantedLifetimeSeconds(request.lifetimeSeconds, this.#policy.maximumLifetimeSeconds),
      homeAddress: request.homeAddress === UNSPECIFIED ? known : request.homeAddress,
      identification,
    });
  }

  #reply({ request, context, association }: Exchange, fields: Omit<ReplyFields, "homeAgent">): Uint8Array {
    return buildReply(
      { ...fields, homeAgent: this.#policy.virtualAddress },
      {
        nai: signedNais(request)[0],
        mobile: association,
        foreignAgent: foreignAgentAssociation(this.#associations, request, context.source.address),
      },
    );
  }
}

function discard(reason: DiscardReason): Refusal {
  return { outcome: "discard", reason };
}

function careOfBinding({ request, context }: Exchange, lifetimeSeconds: number): CareOfBinding {
  return {
    careOfAddress: request.careOfAddress,
    flags: request.flags & KNOWN_FLAGS,
    lifetimeSeconds,
    expiresAtMs: expiryMs(context.nowMs, lifetimeSeconds),
    foreignAgent: context.source,
    ingress: context.ingress,
    identification: request.identification,
  };
}
