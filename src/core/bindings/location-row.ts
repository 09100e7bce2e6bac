/** The row of a location in the store. */
import { z } from "zod";
import type { MobileKey } from "../names.ts";
import { formatIdentification } from "../wire/identification.ts";
import { formatIpv4, type Ipv4Address, parseIpv4 } from "../wire/ipv4.ts";
import type { Location } from "./location.ts";

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
