/** The kinds of values that answers and queries of the control API are made of, and how a request is described. */
import { z } from "zod";
import { type Ipv4Address, parseIpv4 } from "../../core/wire/ipv4.ts";
import { canonicalNai, encodeNai } from "../../core/wire/nai.ts";
import type { EventLog } from "../telemetry/log.ts";

export const address = z.ipv4();
export const time = z.iso.datetime();
export const count = z.int().nonnegative();
export const text = z.string();
export const milliseconds = z.number().nonnegative();

/** How an operator names a mobile. */
export type MobileName =
  | { readonly by: "home-address"; readonly homeAddress: Ipv4Address }
  | { readonly by: "nai"; readonly nai: string };

/** A home address or an NAI, as text. */
export const mobileName = z
  .string()
  .min(1)
  .max(255)
  .transform((name, context): MobileName => {
    const homeAddress = parseIpv4(name);
    if (homeAddress !== undefined) return { by: "home-address", homeAddress };
    if (encodeNai(name) !== undefined) return { by: "nai", nai: canonicalNai(name) };
    context.issues.push({ code: "custom", input: name, message: "expected a home address or an NAI" });
    return z.NEVER;
  });

/** A switch in a query: `true` or `false`. */
export const flag = z.enum(["true", "false"]).default("false");

const PAGE_LIMIT = 1000;

export const pageQuery = z.strictObject({
  limit: z
    .string()
    .regex(/^[1-9]\d{0,3}$/, `a whole number from 1 to ${PAGE_LIMIT}`)
    .transform(Number)
    .pipe(z.int().max(PAGE_LIMIT))
    .default(100)
    .describe(`How many entries a page may have: 1 to ${PAGE_LIMIT}.`),
  after: z.string().min(1).max(1024).optional().describe("`next` of the page before."),
});

/** Which part of a listing. */
export type PageQuery = z.output<typeof pageQuery>;

/** The cursor of a page. */
export const next = text
  .nullable()
  .describe(
    "To be given as `after` for the next page; `null` on the last one. A page may be short, or even empty, before that.",
  );

/** A row of the table of requests. The service has a method of the same name, which is given the query and the mobile. */
export interface ApiRequest {
  readonly method: "GET" | "POST" | "DELETE";
  /** With `:mobile` in it, the request is about one mobile; the service returns `undefined` if it knows none by that name. */
  readonly path: string;
  readonly summary: string;
  readonly query?: z.ZodType;
  readonly answer: z.ZodType;
  /** HTTP status of an answer; 200 if not given. */
  readonly statusOf?: (answer: never) => number;
  /** Writes down what was done. */
  readonly audit?: (log: EventLog, answer: never, asked: never) => void;
}
