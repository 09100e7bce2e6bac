/** The row of a location in the store. */
import { z } from "zod";
import { address as addressField, list, member, mobile, time as timeField, u8, u32 } from "../layout/kinds.ts";
import type { MobileKey } from "../names.ts";
import { formatIdentification } from "../wire/identification.ts";
import { formatIpv4, type Ipv4Address, parseIpv4 } from "../wire/ipv4.ts";
import type { Location } from "./location.ts";

/** What members tell each other of a location. */
export const LOCATION_FIELDS = {
  mobile: [mobile, "The key of its row."],
  homeAddress: [addressField, "Its home address; 0.0.0.0: it has none."],
  homeAddressSinceMs: [
    timeField,
    "Since when it has had the address; for ever: it is gone, and the address is kept for it.",
  ],
  owner: [member, "Who anchors it."],
  backups: [list(u8, member), "Who holds copies, and takes it over if the owner dies."],
  generation: [u32, "Of the ownership: a higher one is newer."],
  knownUntilMs: [timeField, "Until when the owner keeps its row, even as a tombstone."],
} as const;

const address = z.string().transform((text, context): Ipv4Address => {
  const parsed = parseIpv4(text);
  if (parsed !== undefined) return parsed;
  context.addIssue("not an IPv4 address");
  return z.NEVER;
});

/** JSON has no `Infinity`: `null` stands for it. */
const time = z
  .number()
  .nullable()
  .transform((timeMs) => timeMs ?? Number.POSITIVE_INFINITY);

const row = z.object({
  mobile: z.string().transform((mobile) => mobile as MobileKey),
  homeAddress: address,
  nai: z.string().optional(),
  homeAddressSinceMs: time,
  owner: z.string(),
  backups: z.array(z.string()),
  generation: z.int(),
  knownUntilMs: time,
  ingress: z
    .object({
      foreignAgent: z.object({ address, port: z.int() }),
      careOfAddress: address,
      lifetimeSeconds: z.int(),
      expiresAtMs: time,
      identification: z.string().transform((text) => BigInt(text)),
    })
    .optional(),
});

export function encodeLocationRow({ ingress, ...location }: Location): string {
  return JSON.stringify({
    ...location,
    homeAddress: formatIpv4(location.homeAddress),
    ingress: ingress && {
      ...ingress,
      foreignAgent: { ...ingress.foreignAgent, address: formatIpv4(ingress.foreignAgent.address) },
      careOfAddress: formatIpv4(ingress.careOfAddress),
      identification: formatIdentification(ingress.identification),
    },
  });
}

/** Throws a `ZodError` or `SyntaxError` that says what is wrong. */
export function decodeLocationRow(text: string): Location {
  const { nai, ingress, ...rest } = row.parse(JSON.parse(text));
  return { ...rest, nai, ingress };
}
