/**
 * The tables of what members say to each other over their streams: reliable, ordered, authenticated. What a receiver makes
 * of them is in docs/replication.md, their bytes in docs/messages.md.
 */
import { TOLD_LOCATION_FIELDS } from "../bindings/location.ts";
import {
  address,
  array,
  below,
  bytes,
  endpoint,
  flag,
  list,
  longBytes,
  member,
  mobile,
  signed128,
  time,
  u16,
  u32,
  u64,
} from "../layout/kinds.ts";
import { type MessageOf, MessageSet, type RecordOf, record } from "../layout/record.ts";
import { tunnels } from "./tunnels.ts";

/** In which two members compare what one of them owns and the other backs up. */
export const DIGEST_BUCKETS = 1024;

const VERSION = {
  mobile: [mobile, "Whose row it is."],
  orderTime: [signed128, "What registrations are ordered by first, in units of 2^-32 s."],
  replayResets: [u32, "How often an operator has had its replay state forgotten."],
  signedTime: [signed128, "When the mobile signed it, in units of 2^-32 s."],
  counter: [u64, "Changes of the registration so far."],
  acceptedAtMs: [u64, "When it was accepted, or changed by its owner."],
  decidedBy: [member, "The member that made this version."],
} as const;

/** Of a copy. */
export type HeldVersion = RecordOf<typeof VERSION>;

const FORGOTTEN = { ...VERSION, generation: [u32, "Of its ownership."] } as const;

/** A row that its owner has forgotten, as it was then. */
export type ForgottenRow = RecordOf<typeof FORGOTTEN>;

const OWNED = { mobile: VERSION.mobile, generation: FORGOTTEN.generation } as const;

const TEMPORARY = {
  requestId: [u64, "The ingress's."],
  minimumGeneration: [u32, "With which it was relayed."],
  foreignAgent: [endpoint, "Where the request came from, and the reply goes to."],
  destination: [endpoint, "Where it was sent to."],
  owner: [member, "Whom the ingress relayed to."],
  request: [bytes, "The untouched Registration Request: the mobile's identifier and the Identification are in it."],
} as const;

/** Of a temporary binding, what another member needs to become the ingress in place of the one that made it. */
export type TemporaryCopy = RecordOf<typeof TEMPORARY>;

const number = [u64, "What the acknowledgement will name: counted from 1 on each stream."] as const;
const rows = [list(u32, longBytes), "[Binding rows](#binding-row), each as in the store."] as const;
const buckets = below(DIGEST_BUCKETS, u16);
const of = [member, "The dead member."] as const;
const last = [flag, "This is the final page."] as const;
const homeAddress = [address, "The address that it is about."] as const;

export const STREAM_MESSAGES = new MessageSet({
  rows: {
    number: 1,
    says: "Take these rows, and tell me by this number once they are on your disk.",
    fields: { number, rows },
  },
  ack: {
    number: 2,
    says: "Everything that you sent up to this number is on my disk.",
    fields: { number: [u64, "The last such."] },
  },
  digests: {
    number: 3,
    says: "These are digests of the rows that I own and you back up.",
    fields: {
      level: [flag, "You should hold them as they are: nothing was missed out since I last sent all."],
      buckets: [array(DIGEST_BUCKETS, u32), "One for each bucket, the first bucket first."],
    },
  },
  differing: {
    number: 4,
    says: "Answer to `digests`: in these buckets, what I hold differs; what I hold of them I have sent.",
    fields: { buckets: [list(u16, buckets), "Their numbers."] },
  },
  synchronized: { number: 5, says: "I have sent you all that you must hold.", fields: { number } },
  owned: {
    number: 6,
    says: "I believe that I own these mobiles.",
    fields: { last, entries: [list(u32, record(OWNED)), "A page of them."] },
  },
  "owned-checked": {
    number: 7,
    says: "Answer to a page of `owned`: whatever I know better, I have sent.",
    fields: {},
  },
  moved: {
    number: 8,
    says: "This mobile has this owner: to its home, and to any member that believes otherwise.",
    fields: TOLD_LOCATION_FIELDS,
  },
  holding: {
    number: 9,
    says: "After a death: these are the copies that I hold of the dead member's bindings which you decide about.",
    fields: { of, last, versions: [list(u32, record(VERSION)), "A page of them."] },
  },
  want: {
    number: 10,
    says: "Answer to a page of `holding`: send me these, they are newer than mine.",
    fields: { of, mobiles: [list(u32, mobile), "Whose rows are wanted."] },
  },
  sent: { number: 11, says: "Answer to `want`: they have gone before.", fields: { of } },
  handover: { number: 12, says: "Take these bindings over.", fields: { rows } },
  forget: {
    number: 13,
    says: "I, the owner, have forgotten these rows of mine, and whatever is older: nothing needs them any more.",
    fields: { rows: [list(u32, record(FORGOTTEN)), "As they were then."] },
  },
  temporary: {
    number: 14,
    says: "I, the ingress, have relayed these requests; these others have ended.",
    fields: {
      made: [list(u32, record(TEMPORARY)), "Temporary bindings that were made."],
      ended: [list(u32, u64), "The Request Ids of those that have ended."],
    },
  },
  claim: {
    number: 15,
    says:
      "May this mobile have this home address? To the address's home, from an owner; or from the home, for the claimant, to the " +
      "owner of a mobile that should have had it before.",
    fields: {
      homeAddress,
      claimant: [member, "The member that gets the answer."],
      mobile: [mobile, "For which it is wanted."],
    },
  },
  holder: {
    number: 16,
    says: "Answer to `claim`: this mobile has the address, or may have it.",
    fields: {
      homeAddress,
      sinceMs: [time, "Since when; for ever: it is only kept for that mobile."],
      mobile: [mobile, "Who has it."],
    },
  },
  "lease-request": {
    number: 17,
    says: "How do packets reach this home address? To the owner of its mobile, or to its home, which passes the question on.",
    fields: { homeAddress, borrower: [member, "Whoever is to be told."] },
  },
  lease: {
    number: 18,
    says: "I, the owner, tell you how packets reach this mobile, of which you have no row.",
    fields: {
      homeAddress,
      mobile: [mobile, "Who has it."],
      generation: FORGOTTEN.generation,
      number: [u64, "Of two leases of one owner the one with the higher number is newer."],
      tunnels: [tunnels, "Oldest first. None: what was told before has ended."],
    },
  },
});

type StreamMessages = typeof STREAM_MESSAGES.tables;
export type StreamMessageType = keyof StreamMessages;
/** Of this type; by default, of any. */
export type StreamMessage<T extends StreamMessageType = StreamMessageType> = MessageOf<StreamMessages, T>;
