import { expect, test } from "vitest";
import { trafficClassAfterTunnel } from "../../../src/core/tunnel/congestion-notification.ts";

const DSCP = 0b101110_00;
const marks = { "Not-ECT": 0b00, "ECT(0)": 0b10, "ECT(1)": 0b01, CE: 0b11 } as const;
type Mark = keyof typeof marks;

/** RFC 6040 4.2, figure 4: rows are the inner mark, columns the outer one. */
const expected: Readonly<Record<Mark, Readonly<Record<Mark, Mark | "drop">>>> = {
  "Not-ECT": { "Not-ECT": "Not-ECT", "ECT(0)": "Not-ECT", "ECT(1)": "Not-ECT", CE: "drop" },
  "ECT(0)": { "Not-ECT": "ECT(0)", "ECT(0)": "ECT(0)", "ECT(1)": "ECT(1)", CE: "CE" },
  "ECT(1)": { "Not-ECT": "ECT(1)", "ECT(0)": "ECT(1)", "ECT(1)": "ECT(1)", CE: "CE" },
  CE: { "Not-ECT": "CE", "ECT(0)": "CE", "ECT(1)": "CE", CE: "CE" },
};

const names = Object.keys(marks) as Mark[];
test.each(names.flatMap((inner) => names.map((outer) => ({ inner, outer, after: expected[inner][outer] }))))(
  "$inner inside, $outer outside: $after",
  ({ inner, outer, after }) => {
    const wanted = after === "drop" ? undefined : DSCP | marks[after];
    expect(trafficClassAfterTunnel(DSCP | marks[inner], marks[outer])).toBe(wanted);
  },
);
