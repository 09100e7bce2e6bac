import { expect, expectTypeOf, test } from "vitest";
import { z } from "zod";
import * as field from "../../src/config/fields.ts";
import { named } from "../../src/config/names.ts";
import { nonEmptyList, section } from "../../src/config/shapes.ts";

const schema = section({
  "peer-timeout": field.duration("800ms", { from: "20ms", to: "10m" }),
  window: field.optionalDuration("7s", { from: "1s", to: "1h" }),
  "router-id": field.routerId().optional(),
  inner: section({ "hold-time": field.wholeSeconds("9s", { from: "3s", to: "65535s", also: "0s" }) }).prefault({}),
  "one-or-more": nonEmptyList(section({ "as-path-prepend": field.integer(0, 16) }), "one"),
  kind: z
    .discriminatedUnion("type", [
      section({ type: z.literal("none") }),
      section({ type: z.literal("ospf"), "life-time": field.lifetime("30m", { from: "1s", to: "65534s" }) }),
    ])
    .prefault({ type: "none" }),
});
const names = (written: z.input<typeof schema>) => named(schema, schema.parse(written));

test("a setting has its key as its name, in one word, with the unit that its kind is measured in", () => {
  const settings = names({ "peer-timeout": "1.5s", "one-or-more": [{ "as-path-prepend": 2 }] });
  expectTypeOf(settings.peerTimeoutMs).toEqualTypeOf<number>();
  expectTypeOf(settings.oneOrMore[0].asPathPrepend).toEqualTypeOf<number>();
  expectTypeOf(settings.inner.holdTimeSeconds).toEqualTypeOf<number>();
  expect(settings).toEqual({
    peerTimeoutMs: 1500,
    inner: { holdTimeSeconds: 9 },
    oneOrMore: [{ asPathPrepend: 2 }],
    kind: { type: "none" },
  });
});

test("of a section that may be one of several, the one counts that it is", () => {
  const settings = names({
    window: "3s",
    "one-or-more": [{ "as-path-prepend": 2 }],
    kind: { type: "ospf", "life-time": "infinite" },
  });
  expect(settings).toMatchObject({ windowMs: 3000, kind: { type: "ospf", lifeTimeSeconds: 0xffff } });
});
