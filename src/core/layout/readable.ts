/**
 * Values as JSON that people read: addresses are dotted, 64-bit numbers hexadecimal, `null` is "for ever" and "none". There and
 * back by the tables that have the bytes.
 */
import { isMobileKey } from "../names.ts";
import { type Endpoint, formatEndpoint, formatIpv4, type Ipv4Address, parseIpv4 } from "../wire/ipv4.ts";
import { LayoutError } from "./byte-cursor.ts";
import type { Shape } from "./kinds.ts";

export function toReadable(shape: Shape, value: unknown): unknown {
  switch (shape.is) {
    case "bits":
      return shape.isSigned ? String(value) : `0x${(value as bigint).toString(16).padStart(2 * shape.bytes, "0")}`;
    case "time":
      return value === Number.POSITIVE_INFINITY ? null : value;
    case "address":
      return formatIpv4(value as Ipv4Address);
    case "endpoint":
      return formatEndpoint(value as Endpoint);
    case "bytes":
      return Buffer.from(value as Uint8Array).toString("hex");
    case "optional":
      return value === undefined ? null : toReadable(shape.of, value);
    case "list":
      return (value as readonly unknown[]).map((element) => toReadable(shape.of, element));
    case "record": {
      const values = value as Readonly<Record<string, unknown>>;
      return Object.fromEntries(shape.fields.map((field) => [field.name, toReadable(field.shape, values[field.name])]));
    }
    default:
      return value;
  }
}

/** Throws a LayoutError with the path of what can't be understood. Whether numbers have room in their fields is found out where they are written. */
export function fromReadable(shape: Shape, readable: unknown, path = ""): unknown {
  const refuse = (expected: string): never => {
    throw new LayoutError(`${path || "it"}: expected ${expected}`);
  };
  switch (shape.is) {
    case "integer":
    case "gauge":
      return typeof readable === "number" ? readable : refuse("a number");
    case "time":
      if (readable === null) return Number.POSITIVE_INFINITY;
      return typeof readable === "number" ? readable : refuse("a number, or null");
    case "bits":
      return typeof readable === "string" && /^(0x[0-9a-f]+|-?\d+)$/.test(readable)
        ? BigInt(readable)
        : refuse("0x and hexadecimal digits");
    case "flag":
      return typeof readable === "boolean" ? readable : refuse("true or false");
    case "address":
      return (typeof readable === "string" ? parseIpv4(readable) : undefined) ?? refuse("an IPv4 address");
    case "endpoint":
      return endpointOf(readable) ?? refuse("ADDRESS:PORT");
    case "mobile":
      return typeof readable === "string" && isMobileKey(readable) ? readable : refuse('"nai:..." or "ip:..."');
    case "choice":
      return shape.of.some((word) => word === readable) ? readable : refuse(shape.of.join(" or "));
    case "text":
    case "hexadecimal":
      return typeof readable === "string" ? readable : refuse("a string");
    case "bytes":
      return typeof readable === "string" ? Buffer.from(readable, "hex") : refuse("hexadecimal digits");
    case "optional":
      return readable === null || readable === undefined ? undefined : fromReadable(shape.of, readable, path);
    case "list":
      if (!Array.isArray(readable)) return refuse("a list");
      return readable.map((element, index) => fromReadable(shape.of, element, `${path}[${index}]`));
    case "record": {
      if (typeof readable !== "object" || readable === null) return refuse("an object");
      const values = readable as Readonly<Record<string, unknown>>;
      const entries = shape.fields.map(({ name, shape: inner }) => {
        return [name, fromReadable(inner, values[name], path === "" ? name : `${path}.${name}`)] as const;
      });
      return Object.fromEntries(entries);
    }
  }
}

function endpointOf(readable: unknown): Endpoint | undefined {
  const [, addressText = "", port] = (typeof readable === "string" && /^(.+):(\d{1,5})$/.exec(readable)) || [];
  const address = parseIpv4(addressText);
  return address === undefined ? undefined : { address, port: Number(port) };
}
