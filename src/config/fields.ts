/**
 * The kinds of values a configuration has. Each is a codec between the text in the file and the domain type; the message of
 * a failed one says what is expected, as in "expected an IPv4 address such as 10.0.0.1".
 */
import { z } from "zod";
import type { Endpoint, Ipv4Address, Ipv4Prefix, Ipv4Range } from "../core/wire/ipv4.ts";
import {
  directedBroadcast,
  formatEndpoint,
  formatIpv4,
  formatPrefix,
  isHostAddress,
  LOOPBACK,
  parseIpv4,
  parsePrefix,
  prefixContains,
} from "../core/wire/ipv4.ts";
import { encodeNai } from "../core/wire/nai.ts";
import { INFINITE_LIFETIME } from "../core/wire/registration-message.ts";
import { measured } from "./names.ts";

interface TextForm<T> {
  /** What is expected, with an example. */
  readonly expected: string;
  /** For editors; the parser decides. */
  readonly pattern: RegExp;
  readonly parse: (text: string) => T | undefined;
  readonly format: (value: T) => string;
}

function textField<T>(form: TextForm<T>) {
  return z.codec(
    z.string({ error: form.expected }).meta({ title: form.expected, pattern: form.pattern.source }),
    z.custom<T>(),
    {
      decode(text, context) {
        const value = form.parse(text);
        if (value !== undefined) return value;
        context.issues.push({ code: "custom", input: text, message: form.expected });
        return z.NEVER;
      },
      encode: form.format,
    },
  );
}

const QUAD = "(\\d{1,3}\\.){3}\\d{1,3}";

/** Not 0.0.0.0, multicast or reserved. */
export const hostAddress = (expected = "the IPv4 address of a host such as 10.1.0.11") =>
  textField<Ipv4Address>({
    expected,
    pattern: new RegExp(`^${QUAD}$`),
    parse: (text) => {
      const address = parseIpv4(text);
      return address !== undefined && isHostAddress(address) ? address : undefined;
    },
    format: formatIpv4,
  });

/** RFC 4271 4.2: an address of the speaker; RFC 6286 asks only that it isn't 0.0.0.0, but not all routers know that. */
export const routerId = () => hostAddress("a BGP identifier such as 10.1.0.11, as the address of a host");

const network = (expected: string, isPossible: (network: Ipv4Prefix) => boolean) =>
  textField<Ipv4Prefix>({
    expected,
    pattern: new RegExp(`^${QUAD}/\\d{1,2}$`),
    parse: (text) => {
      const network = parsePrefix(text);
      return network !== undefined && isPossible(network) ? network : undefined;
    },
    format: formatPrefix,
  });

/** One that may be announced, and has home addresses. */
export const hostNetwork = () =>
  network("an IPv4 network of hosts, without host bits, such as 10.64.0.0/12", isHostNetwork);

/** For what comes from somewhere: 0.0.0.0/0 is anywhere. */
export const sourceNetwork = () => network("an IPv4 network without host bits such as 10.64.0.0/12", () => true);

/** Neither the default route, nor with multicast, reserved, or the loopback interface's addresses beside others. */
function isHostNetwork(network: Ipv4Prefix): boolean {
  const isMixed = network.length < LOOPBACK.length && prefixContains(network, LOOPBACK.address);
  return isHostAddress(network.address) && isHostAddress(directedBroadcast(network)) && !isMixed;
}

export const addressRange = () =>
  textField<Ipv4Range>({
    expected: "a range of IPv4 addresses such as 10.79.0.0-10.79.63.255 or 10.79.0.0/18",
    pattern: new RegExp(`^${QUAD}(-${QUAD}|/\\d{1,2})$`),
    parse: parseRange,
    format: (range) => `${formatIpv4(range.first)}-${formatIpv4(range.last)}`,
  });

function parseRange(text: string): Ipv4Range | undefined {
  const prefix = parsePrefix(text);
  if (prefix) return { first: prefix.address, last: directedBroadcast(prefix) };
  const [firstText = "", lastText = "", ...rest] = text.split("-");
  const [first, last] = [parseIpv4(firstText.trim()), parseIpv4(lastText.trim())];
  if (first === undefined || last === undefined || rest.length > 0 || first > last) return undefined;
  return { first, last };
}

/** What of the virtual network is announced; `network` and `address` stand for what the file says elsewhere. */
export const announced = () =>
  textField<"network" | "address" | Ipv4Prefix>({
    expected: "network, address, or an IPv4 network of hosts, without host bits, such as 192.0.2.0/24",
    pattern: new RegExp(`^(network|address|${QUAD}/\\d{1,2})$`),
    parse: (text) => {
      if (text === "network" || text === "address") return text;
      const network = parsePrefix(text);
      return network !== undefined && isHostNetwork(network) ? network : undefined;
    },
    format: (value) => (typeof value === "string" ? value : formatPrefix(value)),
  });

/** RFC 1997. */
export const community = () =>
  textField<readonly [number, number]>({
    expected: 'a community such as "65011:100"',
    pattern: /^\d{1,5}:\d{1,5}$/,
    parse: (text) => {
      const [high = NaN, low = NaN] = parseNumbers(text, 2, 0xffff) ?? [];
      return Number.isNaN(low) ? undefined : [high, low];
    },
    format: (pair) => pair.join(":"),
  });

/** RFC 8092. */
export const largeCommunity = () =>
  textField<readonly [number, number, number]>({
    expected: 'a large community such as "65011:1:100"',
    pattern: /^\d{1,10}:\d{1,10}:\d{1,10}$/,
    parse: (text) => {
      const [first = NaN, second = NaN, third = NaN] = parseNumbers(text, 3, 0xffffffff) ?? [];
      return Number.isNaN(third) ? undefined : [first, second, third];
    },
    format: (triple) => triple.join(":"),
  });

function parseNumbers(text: string, count: number, maximum: number): number[] | undefined {
  const words = text.split(":");
  const numbers = words.map((word) => (/^(0|[1-9]\d{0,9})$/.test(word) ? Number(word) : NaN));
  return words.length === count && numbers.every((number) => number <= maximum) ? numbers : undefined;
}

const SIZE = /^(0|[1-9]\d*)(B|KiB|MiB|GiB)$/;
const unitBytes = { GiB: 2 ** 30, MiB: 2 ** 20, KiB: 2 ** 10, B: 1 } as const;

/** In bytes. */
export const size = () =>
  textField<number>({
    expected: "a size such as 256MiB",
    pattern: SIZE,
    parse: (text) => {
      const [, amount, unit] = SIZE.exec(text) ?? [];
      const bytes = Number(amount) * unitBytes[(unit ?? "B") as keyof typeof unitBytes];
      return Number.isSafeInteger(bytes) ? bytes : undefined;
    },
    format: (bytes) => {
      const units = Object.entries(unitBytes);
      const [unit, unitSize] = units.find(([, unitSize]) => bytes >= unitSize && bytes % unitSize === 0) ?? ["B", 1];
      return `${bytes / unitSize}${unit}`;
    },
  });

export const endpoint = () =>
  textField<Endpoint>({
    expected: "the IPv4 address of a host and a port, such as 127.0.0.1:4434",
    pattern: new RegExp(`^${QUAD}:\\d{1,5}$`),
    parse: parseEndpoint,
    format: formatEndpoint,
  });

function parseEndpoint(text: string): Endpoint | undefined {
  const [, addressText = "", portText = ""] = /^([\d.]+):([1-9]\d{0,4})$/.exec(text) ?? [];
  const [address, port] = [parseIpv4(addressText), Number(portText)];
  return address === undefined || !isHostAddress(address) || port > 65535 ? undefined : { address, port };
}

export const nai = () =>
  textField<string>({
    expected: "a network access identifier such as alice@example.com",
    pattern: /^\S+$/,
    parse: (text) => (encodeNai(text) === undefined ? undefined : text),
    format: (text) => text,
  });

export const realm = () =>
  textField<string>({
    expected: "a realm such as example.com",
    pattern: /^[^@\s]+$/,
    parse: (text) => (text.includes("@") || encodeNai(`@${text}`) === undefined ? undefined : text),
    format: (text) => text,
  });

const unitMs = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;
type Unit = keyof typeof unitMs;

const DURATION = /^((?:0|[1-9]\d*)(?:\.\d+)?)(ms|s|m|h|d)$/;

function parseDurationMs(text: string): number | undefined {
  const [, amount, unit] = DURATION.exec(text) ?? [];
  if (amount === undefined || unit === undefined) return undefined;
  // Whole milliseconds: times between members have no fractions. 1.005 s are, though not by the arithmetic of floats.
  const durationMs = Number(amount) * unitMs[unit as Unit];
  return Math.abs(durationMs - Math.round(durationMs)) < 1e-6 ? Math.round(durationMs) : undefined;
}

function formatDuration(durationMs: number): string {
  const units = Object.entries(unitMs);
  const [unit, sizeMs] = units.find(([, sizeMs]) => durationMs >= sizeMs && durationMs % sizeMs === 0) ?? ["ms", 1];
  return `${durationMs / sizeMs}${unit}`;
}

interface DurationBounds {
  readonly from: string;
  readonly to: string;
  /** A duration below `from` that is allowed nevertheless. */
  readonly also?: string;
}

/** The default is also the example in messages. */
export const duration = (usual: string, bounds: DurationBounds) =>
  measured("Ms", textField(durationForm("a duration", 1, usual, bounds))).prefault(usual);

export const optionalDuration = (example: string, bounds: DurationBounds) =>
  measured("Ms", textField(durationForm("a duration", 1, example, bounds))).optional();

export const wholeSeconds = (usual: string, bounds: DurationBounds) =>
  measured("Seconds", textField(secondsForm(usual, bounds))).prefault(usual);

export const lifetime = (usual: string, bounds: DurationBounds) =>
  measured("Seconds", textField(orInfinite(secondsForm(usual, bounds), INFINITE_LIFETIME))).prefault(usual);

/** In milliseconds, or `Infinity`. Its name has no unit, so that limits of all kinds are alike to the health checks. */
export const durationLimit = (usual: string, bounds: DurationBounds) =>
  textField(orInfinite(durationForm("a duration", 1, usual, bounds), Number.POSITIVE_INFINITY)).prefault(usual);

const secondsForm = (example: string, bounds: DurationBounds) =>
  durationForm("a duration in whole seconds", 1000, example, bounds);

function durationForm(
  kind: string,
  unitMs: number,
  example: string,
  { from, to, also }: DurationBounds,
): TextForm<number> {
  const [least = 0, most = 0, exception] = [from, to, also ?? ""].map(parseDurationMs);
  return {
    expected: `${kind} such as ${example} (${also === undefined ? "" : `${also}, or `}${from} to ${to})`,
    pattern: DURATION,
    parse: (text) => {
      const durationMs = parseDurationMs(text);
      if (durationMs === undefined || durationMs % unitMs !== 0) return undefined;
      const isPossible = (durationMs >= least && durationMs <= most) || durationMs === exception;
      return isPossible ? durationMs / unitMs : undefined;
    },
    format: (amount) => formatDuration(amount * unitMs),
  };
}

function orInfinite(form: TextForm<number>, infinite: number): TextForm<number> {
  return {
    expected: `${form.expected}, or infinite`,
    pattern: new RegExp(`${form.pattern.source}|^infinite$`),
    parse: (text) => (text === "infinite" ? infinite : form.parse(text)),
    format: (amount) => (amount === infinite ? "infinite" : form.format(amount)),
  };
}

/** Without control characters, which would spoil logs and tables. */
export const text = (expected: string, maximumLength: number, pattern = /^\P{Cc}+$/u) =>
  z
    .string({ error: ({ input }) => (typeof input === "number" ? `${expected}, in quotes` : expected) })
    .meta({ title: expected })
    .regex(pattern, { error: expected })
    .max(maximumLength, { error: `${expected}, of ${maximumLength} characters at most` });

/** Of clusters and checks. */
export const name = (expected: string) => text(expected, 64, /^[A-Za-z0-9][A-Za-z0-9_.-]*$/);

export const memberId = () => name("a member id such as ha1");

export const number = (from: number, to: number) => {
  const error = `a number from ${from} to ${to}`;
  return z.number({ error }).meta({ title: error }).min(from, { error }).max(to, { error });
};

export const integer = (from: number, to: number) => {
  const error = `a whole number from ${from} to ${to}`;
  return z.int({ error }).meta({ title: error }).min(from, { error }).max(to, { error });
};

/** MULTI_EXIT_DISC, of 32 bits. */
export const metric = () => integer(0, 4_294_967_295);

export const flag = () => z.boolean({ error: "true or false" }).meta({ title: "true or false" });

export const path = () => text("a file path", 4096);

/** AS_TRANS (RFC 6793), and the last ones of 16 and of 32 bits (RFC 7300); 0 is reserved as well (RFC 7607). */
const RESERVED_SYSTEMS: readonly number[] = [23_456, 65_535, 4_294_967_295];

/** An ASN of 16 or 32 bits. */
export const autonomousSystem = () => {
  const error = "the number of an autonomous system, from 1 to 4294967294, but neither 23456 nor 65535";
  return z
    .int({ error })
    .meta({ title: error })
    .min(1, { error })
    .max(4_294_967_294, { error })
    .refine((system) => !RESERVED_SYSTEMS.includes(system), { error });
};

export const port = () => integer(1, 65_535);
