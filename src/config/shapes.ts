/** What the table of settings is made of, besides the kinds of values: sections, lists, and what is true of a row. */
import { z } from "zod";

export const list = <T extends z.ZodType>(element: T) => z.array(element, { error: "a list" });

/** @param expected what is said of an empty one */
export const nonEmptyList = <T extends z.ZodType>(element: T, expected: string) =>
  list(element).min(1, { error: expected }) as unknown as z.ZodType<[z.output<T>, ...z.output<T>[]], z.input<T>[]>;

export function section<T extends z.core.$ZodLooseShape>(shape: T) {
  return z.strictObject(shape, { error: "a section with keys and values" });
}

/** What a running daemon can take over, of a section all that is in it: everything else needs a restart. */
export const live = z.registry();

/** A schema without what says that it may be left out. */
export function kindOf(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)
    return kindOf(schema.unwrap());
  return schema;
}

/** The rows of a section; where it may be one of several, of the one that the value is by its `type`. */
export function rowsOf(schema: z.core.$ZodType, value: unknown): z.core.$ZodShape {
  const kind = kindOf(schema);
  if (kind instanceof z.ZodObject) return kind.shape;
  if (!(kind instanceof z.ZodDiscriminatedUnion)) return {};
  const type = Reflect.get(Object(value), kind.def.discriminator);
  const option = kind.options.find(({ _zod }) => _zod.propValues?.[kind.def.discriminator]?.has(type));
  return option === undefined ? {} : rowsOf(option, value);
}

/** What the schema says of a key or item of the value. */
export function partOf(schema: z.core.$ZodType, step: string | number, value: unknown): z.core.$ZodType | undefined {
  const kind = kindOf(schema);
  return kind instanceof z.ZodArray ? kind.element : rowsOf(kind, value)[step];
}
