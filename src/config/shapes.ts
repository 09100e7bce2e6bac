/** The parts of the table of settings other than the kinds of values: sections, lists, and how to find a row. */
import { z } from "zod";

export const list = <T extends z.ZodType>(element: T) => z.array(element, { error: "a list" });

/** @param expected the message for an empty list */
export const nonEmptyList = <T extends z.ZodType>(element: T, expected: string) =>
  list(element).min(1, { error: expected }) as unknown as z.ZodType<[z.output<T>, ...z.output<T>[]], z.input<T>[]>;

export function section<T extends z.core.$ZodLooseShape>(shape: T) {
  return z.strictObject(shape, { error: "a section with keys and values" });
}

/** Rows that a running daemon can take over, and sections of which it can take over every row. All others need a restart. */
export const live = z.registry();

/** Unwraps what says that a row may be left out. */
export function kindOf(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)
    return kindOf(schema.unwrap());
  return schema;
}

/** The rows of a section. Of alternatives, such as advertisers, the rows of the one that the value's `type` names. */
export function rowsOf(schema: z.core.$ZodType, value: unknown): z.core.$ZodShape {
  const kind = kindOf(schema);
  if (kind instanceof z.ZodObject) return kind.shape;
  if (!(kind instanceof z.ZodDiscriminatedUnion)) return {};
  const type = Reflect.get(Object(value), kind.def.discriminator);
  const option = kind.options.find(({ _zod }) => _zod.propValues?.[kind.def.discriminator]?.has(type));
  return option === undefined ? {} : rowsOf(option, value);
}

/** The schema of a key or an item of the value. */
export function partOf(schema: z.core.$ZodType, step: string | number, value: unknown): z.core.$ZodType | undefined {
  const kind = kindOf(schema);
  return kind instanceof z.ZodArray ? kind.element : rowsOf(kind, value)[step];
}
