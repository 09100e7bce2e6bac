/** A home agent of one: the engine with a table of rows, mobiles and foreign agents that send to it, and a clock that stands still. */
import { createSecretKey } from "node:crypto";
import { expect } from "vitest";
import type {
  ForeignAgentAssociation,
  MobileAssociation,
  SecurityAssociation,
} from "../../../src/core/auth/association.ts";
import { AssociationTable } from "../../../src/core/auth/association-table.ts";
import { computeAuthenticator, verifyAuthenticator } from "../../../src/core/auth/authenticator.ts";
import type { Binding } from "../../../src/core/bindings/binding.ts";
import { canForget, withoutExpired } from "../../../src/core/bindings/mobility-bindings.ts";
import type { MobileKey } from "../../../src/core/names.ts";
import { type Decision, type RegistrationContext, RegistrationEngine } from "../../../src/core/registration/engine.ts";
import { identityOf } from "../../../src/core/registration/identity.ts";
import type { RegistrationPolicy } from "../../../src/core/registration/policy.ts";
import { type AuthenticationExtension, ExtensionType } from "../../../src/core/wire/extension.ts";
import { formatIpv4, ipv4, parsePrefix, UNSPECIFIED } from "../../../src/core/wire/ipv4.ts";
import { MessageWriter, type VendorContent } from "../../../src/core/wire/message-writer.ts";
import { ntpFromEpochMs } from "../../../src/core/wire/ntp-timestamp.ts";
import {
  decodeRegistrationReply,
  decodeRegistrationRequest,
  encodeRequestFields,
  type RegistrationReply,
  type RegistrationRequest,
  RequestFlag,
} from "../../../src/core/wire/registration-message.ts";

export const START_MS = 1_790_000_000_000;
export const MAXIMUM_LIFETIME = 3600;
export const WINDOW_MS = 7000;

export const HOME_AGENT = "10.64.0.1";
export const FA1 = "192.0.2.1";
export const FA2 = "192.0.2.2";
/** Shares an association with the home agent; FA1 and FA2 do not. */
export const TRUSTED_FA = "198.51.100.1";

/** `timestamps` and `nonces` are the mobiles of two address ranges, `roaming` those of a realm, `alice` one of them with a key of her own. */
export const KEYS = {
  timestamps: { spi: 256, key: "1234567812345678", range: ["10.64.1.0", "10.64.1.255"], style: "timestamps" },
  nonces: { spi: 256, key: "8765432187654321", range: ["10.64.2.0", "10.64.2.255"], style: "nonces" },
  wide: { spi: 300, key: "key of everybody", range: ["10.64.0.0", "10.79.255.255"], style: "timestamps" },
  older: { spi: 301, key: "0000000000000001", range: ["10.64.1.0", "10.64.1.255"], style: "timestamps" },
  roaming: { spi: 500, key: "key of the realm", realm: "example.com", style: "timestamps" },
  roamingNonces: { spi: 501, key: "key of the realm", realm: "example.com", style: "nonces" },
  alice: { spi: 500, key: "key of alice only", nai: "alice@example.com", style: "timestamps" },
} as const satisfies Record<string, Credential>;

interface Credential {
  readonly spi: number;
  readonly key: string;
  readonly style: "timestamps" | "nonces";
  readonly range?: readonly [string, string];
  readonly realm?: string;
  readonly nai?: string;
}

const FLAGS = new Map(Object.entries({ ...RequestFlag, r: 0x04, x: 0x01 }));

export const FOREIGN_AGENT_KEYS: ForeignAgentAssociation[] = [
  {
    spi: 1000,
    algorithm: "hmac-md5",
    key: bytes("first key of the trusted"),
    foreignAgents: prefix("198.51.100.0/24"),
  },
  {
    spi: 1001,
    algorithm: "hmac-md5",
    key: bytes("second key of the trusted"),
    foreignAgents: prefix("198.51.100.0/24"),
  },
];

export const POLICY: RegistrationPolicy = {
  virtualAddress: ipv4(HOME_AGENT),
  homeNetworks: [prefix("10.64.0.0/12")],
  maximumLifetimeSeconds: MAXIMUM_LIFETIME,
  maximumSimultaneousBindings: 2,
  minimalEncapsulation: false,
  greEncapsulation: true,
  reverseTunneling: "allowed",
  prohibitedCareOfNetworks: [prefix("203.0.113.0/24")],
  authenticationFailureRepliesPerSecond: 10,
  pool: [{ first: ipv4("10.79.1.0"), last: ipv4("10.79.1.3") }],
  otherPools: [{ first: ipv4("10.79.2.0"), last: ipv4("10.79.2.255") }],
  poolStickinessMs: 3_600_000,
  maximumMobilesPerAssociation: 1_000_000,
  maximumClockSkewMs: 60_000,
};

/** What a mobile sends; whatever is not given is usual for a mobile of the range `timestamps` behind FA1. */
export interface Sent {
  /** 0.0.0.0 for none. */
  readonly home?: string;
  readonly nai?: string;
  readonly homeAgent?: string;
  readonly careOf?: string;
  readonly lifetime?: number;
  /** Letters of RFC 5944 3.3, those of the reserved bits as well. */
  readonly flags?: string;
  /** With timestamps: how far the mobile's clock is ahead. */
  readonly aheadMs?: number;
  readonly identification?: bigint;
  readonly credential?: Credential;
  readonly source?: string;
  readonly port?: number;
  readonly destination?: string;
  /** How the foreign agent at `source` signs; by default with its first key, if it has one and this is no deregistration. */
  readonly foreignAgentKeys?: readonly SecurityAssociation[];
  /** Extensions that the mobile puts before, and the foreign agent behind, the mobile's authentication. */
  readonly inside?: readonly (readonly [type: number, value: Uint8Array])[];
  readonly behind?: readonly (readonly [type: number, value: Uint8Array])[];
  /** Extensions of any format, put there likewise. */
  readonly bytesInside?: Uint8Array;
  readonly bytesBehind?: Uint8Array;
  /** A critical vendor extension, put there likewise. */
  readonly vendorInside?: VendorContent;
  readonly vendorBehind?: VendorContent;
}

/** What became of a request, in the words of the test tables. */
export interface Outcome {
  readonly outcome: Decision["outcome"];
  readonly reason: string | undefined;
  readonly code: number | undefined;
  readonly lifetime: number | undefined;
  readonly home: string | undefined;
  readonly nai: string | undefined;
  /** The care-of addresses that the mobile has now. */
  readonly careOf: readonly string[];
  readonly reply: RegistrationReply | undefined;
  readonly request: RegistrationRequest;
  readonly row: Binding | undefined;
}

export class Rig {
  nowMs = START_MS;
  runningMs = Number.POSITIVE_INFINITY;
  canAccept = true;
  owner = "ha1";
  readonly policy: RegistrationPolicy;
  readonly engine: RegistrationEngine;
  readonly rows = new Map<MobileKey, Binding>();
  /** The last nonce heard, per home address or NAI. */
  readonly #nonces = new Map<string, bigint>();
  #clockTicks = 0;

  constructor(policy: Partial<RegistrationPolicy> = {}) {
    this.policy = { ...POLICY, ...policy };
    this.engine = new RegistrationEngine({
      self: "ha1",
      policy: this.policy,
      associations,
      nonceKey: createSecretKey(new Uint8Array(32).fill(7)),
    });
  }

  passSeconds(seconds: number): void {
    this.nowMs += seconds * 1000;
    for (const row of [...this.rows.values()]) {
      const remaining = withoutExpired(row, this.nowMs);
      this.change(row, canForget(remaining, this.nowMs) ? undefined : remaining);
    }
  }

  send(sent: Sent): Outcome {
    return this.receive(this.datagram(sent), sent);
  }

  /** The datagram as it leaves the foreign agent. Each has an Identification of its own unless one is given. */
  datagram(sent: Sent): Uint8Array {
    const credential: Credential = sent.credential ?? KEYS.timestamps;
    const home = sent.home ?? (sent.nai === undefined ? "10.64.1.1" : "0.0.0.0");
    const lifetimeSeconds = sent.lifetime ?? 600;
    let writer = new MessageWriter(
      encodeRequestFields({
        flags: [...(sent.flags ?? "")].reduce((bits, letter) => bits | (FLAGS.get(letter) ?? 0), 0),
        lifetimeSeconds,
        homeAddress: ipv4(home),
        homeAgent: ipv4(sent.homeAgent ?? HOME_AGENT),
        careOfAddress: ipv4(sent.careOf ?? FA1),
        identification: sent.identification ?? this.#identification(credential, sent.nai ?? home, sent.aheadMs ?? 0),
      }),
    );
    if (sent.nai !== undefined) writer.appendNai(sent.nai);
    for (const [type, value] of sent.inside ?? []) writer.append(type, value);
    if (sent.bytesInside !== undefined) writer = new MessageWriter(Buffer.concat([writer.finish(), sent.bytesInside]));
    if (sent.vendorInside !== undefined) writer.appendVendor("critical", sent.vendorInside);
    sign(writer, ExtensionType.MobileHomeAuthentication, associationOf(credential));
    if (sent.vendorBehind !== undefined) writer.appendVendor("critical", sent.vendorBehind);
    for (const [type, value] of sent.behind ?? []) writer.append(type, value);
    if (sent.bytesBehind !== undefined) writer = new MessageWriter(Buffer.concat([writer.finish(), sent.bytesBehind]));
    const usual = associations.foreignAgentDefault(ipv4(sent.source ?? sent.careOf ?? FA1));
    const keys = sent.foreignAgentKeys ?? (usual === undefined || lifetimeSeconds === 0 ? [] : [usual]);
    for (const key of keys) sign(writer, ExtensionType.ForeignHomeAuthentication, key);
    return writer.finish();
  }

  /** Decides, checks the signatures on the reply, and keeps the rows as the engine's caller must. */
  receive(datagram: Uint8Array, from: Pick<Sent, "source" | "port" | "careOf" | "destination"> = {}): Outcome {
    const decoded = decodeRegistrationRequest(datagram);
    if (!decoded.ok) throw new Error(`the test sent what nobody understands: ${decoded.fault.reason}`);
    const request = decoded.message;
    const context = this.context(request, from);
    const decision = this.engine.decide(request, context);
    if (decision.outcome === "accepted") {
      for (const row of [...decision.others, decision.binding]) this.change(this.rows.get(row.mobile), row);
    }
    const reply =
      decision.outcome === "discard" || decision.outcome === "unclear"
        ? undefined
        : readReply(decision.reply, request, context);
    if (reply !== undefined) this.#nonces.set(nameOf(request), reply.identification >> 32n);
    const row = this.find(request);
    return {
      outcome: decision.outcome,
      reason: "reason" in decision ? decision.reason : undefined,
      code: reply?.code,
      lifetime: reply?.lifetimeSeconds,
      home: reply && formatIpv4(reply.homeAddress),
      nai: reply?.extensions.find((extension) => extension.kind === "nai")?.nai,
      careOf: row?.registration.careOfAddresses.map((entry) => formatIpv4(entry.careOfAddress)) ?? [],
      reply,
      request,
      row,
    };
  }

  context(
    request: RegistrationRequest,
    from: Pick<Sent, "source" | "port" | "careOf" | "destination"> = {},
  ): RegistrationContext {
    return {
      source: { address: ipv4(from.source ?? from.careOf ?? FA1), port: from.port ?? 434 },
      destination: { address: ipv4(from.destination ?? HOME_AGENT), port: 434 },
      ingress: "ha1",
      current: this.find(request),
      homeAddressHolder: (address) =>
        address === UNSPECIFIED ? undefined : this.rows.values().find((row) => row.homeAddress === address)?.mobile,
      mustAsk: () => false,
      ownership: { owner: this.owner, backups: [], generation: 1 },
      canAccept: this.canAccept,
      nowMs: this.nowMs,
      runningMs: this.runningMs,
    };
  }

  find(request: RegistrationRequest): Binding | undefined {
    const { nai, homeAddress } = identityOf(request);
    const byNai = nai === undefined ? undefined : this.rows.values().find((row) => row.nai === nai);
    if (byNai !== undefined || homeAddress === UNSPECIFIED) return byNai;
    return this.rows.values().find((row) => row.homeAddress === homeAddress);
  }

  change(before: Binding | undefined, after: Binding | undefined): void {
    if (before !== undefined && before.mobile !== after?.mobile) this.rows.delete(before.mobile);
    if (after !== undefined) this.rows.set(after.mobile, after);
    this.engine.rowChanged(before, after);
  }

  #identification(credential: Credential, name: string, aheadMs: number): bigint {
    this.#clockTicks++;
    if (credential.style === "nonces") return ((this.#nonces.get(name) ?? 0n) << 32n) | BigInt(this.#clockTicks);
    return ntpFromEpochMs(this.nowMs + aheadMs) + BigInt(this.#clockTicks);
  }
}

/** Fails unless the reply is what RFC 5944 3.8.3.3 makes of it: both signatures, in order, and those only that are due. */
function readReply(
  datagram: Uint8Array,
  request: RegistrationRequest,
  context: RegistrationContext,
): RegistrationReply {
  const decoded = decodeRegistrationReply(datagram);
  if (!decoded.ok) throw new Error(`the reply is malformed: ${decoded.fault.reason}`);
  const reply = decoded.message;
  const [mobile, foreignAgent, ...more] = reply.extensions.filter((extension) => extension.kind === "authentication");
  expect(more).toEqual([]);
  const identity = { ...identityOf(request), nai: identityOf(request).nai ?? context.current?.nai };
  expect(mobile?.type).toBe(ExtensionType.MobileHomeAuthentication);
  expect(isSignedBy(mobile && associations.mobile(identity, mobile.spi), datagram, mobile)).toBe(true);
  const { address } = context.source;
  expect(foreignAgent?.type).toBe(
    associations.knowsForeignAgent(address) ? ExtensionType.ForeignHomeAuthentication : undefined,
  );
  if (foreignAgent !== undefined) {
    expect(isSignedBy(associations.foreignAgent(address, foreignAgent.spi), datagram, foreignAgent)).toBe(true);
  }
  expect(BigInt.asUintN(32, reply.identification)).toBe(BigInt.asUintN(32, request.identification));
  expect(formatIpv4(reply.homeAgent)).toBe(HOME_AGENT);
  return reply;
}

function isSignedBy(
  association: SecurityAssociation | undefined,
  datagram: Uint8Array,
  extension: AuthenticationExtension | undefined,
): boolean {
  if (association === undefined || extension === undefined) return false;
  return verifyAuthenticator(association, datagram.subarray(0, extension.coveredEnd), extension.authenticator);
}

export function sign(writer: MessageWriter, type: number, association: SecurityAssociation): void {
  writer.appendAuthentication(type, association.spi, (covered) => computeAuthenticator(association, covered));
}

export function associationOf(credential: Credential): MobileAssociation {
  const { spi, key, style, range, realm, nai } = credential;
  return {
    spi,
    algorithm: "hmac-md5",
    key: bytes(key),
    replay: style === "timestamps" ? { style, windowMs: WINDOW_MS } : { style },
    mobiles:
      range !== undefined
        ? { by: "home-addresses", range: { first: ipv4(range[0]), last: ipv4(range[1]) } }
        : realm !== undefined
          ? { by: "realm", realm }
          : { by: "nai", nai: nai ?? "" },
  };
}

const associations = new AssociationTable(Object.values<Credential>(KEYS).map(associationOf), FOREIGN_AGENT_KEYS);

function nameOf(request: RegistrationRequest): string {
  return identityOf(request).nai ?? formatIpv4(request.homeAddress);
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function prefix(text: string): NonNullable<ReturnType<typeof parsePrefix>> {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new TypeError(`not a prefix: ${text}`);
  return parsed;
}
