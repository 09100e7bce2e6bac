/**
 * Parsers of option values. A value that can't be right throws an InvalidArgumentError, which commander reports as wrong
 * usage.
 */
import { InvalidArgumentError } from "commander";
import { type Endpoint, type Ipv4Address, isHostAddress, parseIpv4 } from "../core/wire/ipv4.ts";
import { encodeNai } from "../core/wire/nai.ts";
import { INFINITE_LIFETIME, RequestFlag } from "../core/wire/registration-message.ts";

/** RFC 5944 3.3. */
export const REGISTRATION_PORT = 434;

const MAXIMUM_PORT = 65_535;

export function parseAddress(text: string): Ipv4Address {
  const address = parseIpv4(text);
  if (address === undefined) throw new InvalidArgumentError("Expected an IPv4 address such as 10.64.1.5.");
  return address;
}

/** An address of this host or of a destination; what mobiles claim may be any address. */
export function parseHostAddress(text: string): Ipv4Address {
  const address = parseAddress(text);
  if (isHostAddress(address)) return address;
  throw new InvalidArgumentError("Expected the IPv4 address of a host such as 10.64.1.5.");
}

/** `ADDRESS[:PORT]`; the port is 434 unless given. */
export function parseRegistrationEndpoint(text: string): Endpoint {
  const [addressText = "", portText = String(REGISTRATION_PORT), ...rest] = text.split(":");
  const address = parseIpv4(addressText);
  if (address === undefined || !isHostAddress(address) || rest.length > 0) {
    throw new InvalidArgumentError(
      "Expected the IPv4 address of a host, and a port where it is not 434: 10.64.0.1 or 127.0.0.1:4434.",
    );
  }
  return { address, port: integerBetween(1, MAXIMUM_PORT)(portText) };
}

/** As in configuration files: decimal digits without leading zeros, exponent or sign. */
export function integerBetween(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = /^(0|[1-9]\d*)$/.test(text) ? Number(text) : Number.NaN;
    if (value >= minimum && value <= maximum) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${minimum} to ${maximum}.`);
  };
}

export function parsePositiveNumber(text: string): number {
  const value = /^(0|[1-9]\d*)(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (value > 0 && value <= Number.MAX_SAFE_INTEGER) return value;
  throw new InvalidArgumentError("Expected a number greater than 0.");
}

/** Seconds, or `infinite`. */
export function parseLifetime(text: string): number {
  return text === "infinite" ? INFINITE_LIFETIME : integerBetween(1, INFINITE_LIFETIME)(text);
}

export function parseNai(text: string): string {
  if (encodeNai(text) === undefined) {
    throw new InvalidArgumentError("Expected a network access identifier such as alice@example.com.");
  }
  return text;
}

/** Letters of RFC 5944 3.3, such as `SG`. */
export function parseFlags(text: string): number {
  return [...text.toUpperCase()].reduce((flags, letter) => {
    const bit = Object.entries(RequestFlag).find(([name]) => name === letter)?.[1];
    if (bit === undefined) {
      throw new InvalidArgumentError(`Expected letters among ${Object.keys(RequestFlag).join("")}, such as ST.`);
    }
    return flags | bit;
  }, 0);
}

/** For people: the letters of the flags that are set. */
export function formatFlags(flags: number): string {
  return Object.entries(RequestFlag)
    .filter(([, bit]) => (flags & bit) !== 0)
    .map(([letter]) => letter)
    .join("");
}
