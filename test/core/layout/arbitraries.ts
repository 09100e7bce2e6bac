/** Values of any content, made up from the tables of messages and rows. */
import fc from "fast-check";
import type { Kind, Shape } from "../../../src/core/layout/kinds.ts";
import type { MessageOf, MessageSet, MessageTables } from "../../../src/core/layout/record.ts";
import type { MobileKey } from "../../../src/core/names.ts";
import { formatIpv4, type Ipv4Address } from "../../../src/core/wire/ipv4.ts";

const port = fc.integer({ min: 0, max: 0xffff });
const address = fc.integer({ min: 0, max: 0xffff_ffff }).map((value) => value as Ipv4Address);
const integer = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const anyText = fc.string({ unit: "binary", maxLength: 60 });
/** Texts that decoders have stumbled over: letters outside of ASCII, a byte order mark, more than one byte can count. */
const oddText = fc.constantFrom("alice@lädchen.example", "\ufeffbob@example.com", "x".repeat(300));

export function arbitraryOf<T>({ shape }: Kind<T>): fc.Arbitrary<T> {
  return ofShape(shape) as fc.Arbitrary<T>;
}

export function anyMessageOf<M extends MessageTables>(messages: MessageSet<M>): fc.Arbitrary<MessageOf<M>> {
  const each = messages.types.map((type) =>
    fc.record({ type: fc.constant(type), ...fieldsOf(messages.shapeOf(type)) }),
  );
  return fc.oneof(...each) as unknown as fc.Arbitrary<MessageOf<M>>;
}

function ofShape(shape: Shape): fc.Arbitrary<unknown> {
  switch (shape.is) {
    case "integer":
    case "gauge":
      return fc.integer({ min: 0, max: shape.maximum });
    case "bits": {
      const bits = BigInt(shape.bytes * 8);
      return shape.isSigned
        ? fc.bigInt({ min: -(1n << (bits - 1n)), max: (1n << (bits - 1n)) - 1n })
        : fc.bigInt({ min: 0n, max: (1n << bits) - 1n });
    }
    case "time":
      return fc.oneof(integer, fc.constant(Number.POSITIVE_INFINITY));
    case "flag":
      return fc.boolean();
    case "choice":
      return fc.constantFrom(...shape.of);
    case "address":
      return address;
    case "endpoint":
      return fc.record({ address, port });
    case "mobile":
      return fc.oneof(
        textOf(2, 1).map((nai): MobileKey => `nai:${nai}`),
        address.map((value): MobileKey => `ip:${formatIpv4(value)}`),
      );
    case "text":
      return textOf(shape.lengthBytes, shape.minimumLength);
    case "bytes":
      // What is read is a view of a Buffer.
      return fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
    case "hexadecimal":
      return fc.uint8Array({ maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString("hex"));
    case "optional":
      return fc.option(ofShape(shape.of), { nil: undefined });
    case "list":
      return shape.count === undefined
        ? fc.array(ofShape(shape.of), { maxLength: 10 })
        : fc.array(ofShape(shape.of), { minLength: shape.count, maxLength: shape.count });
    case "record":
      return fc.record(fieldsOf(shape));
  }
}

function fieldsOf(shape: Shape): Record<string, fc.Arbitrary<unknown>> {
  if (shape.is !== "record") throw new TypeError(`${shape.is} is no record`);
  return Object.fromEntries(shape.fields.map((field) => [field.name, ofShape(field.shape)]));
}

function textOf(lengthBytes: number, minimumLength: number): fc.Arbitrary<string> {
  const texts = lengthBytes === 1 ? anyText : fc.oneof(anyText, oddText);
  return texts.filter((text) => text.length >= minimumLength);
}
