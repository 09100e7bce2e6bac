import { describe, expect, test } from "vitest";
import { describeReplyCode, isAccepted, originOf, ReplyCode } from "../../../src/core/wire/reply-code.ts";

test("codes have the numbers and the words of the RFCs, and say who denied", () => {
  expect(describeReplyCode(ReplyCode.Accepted)).toBe("registration accepted (0)");
  expect(describeReplyCode(133)).toBe("denied by the home agent: registration Identification mismatch (133)");
  expect(describeReplyCode(69)).toBe("denied by the foreign agent: requested Lifetime too long (69)");
  expect(describeReplyCode(200)).toBe("denied by the home agent: unknown code (200)");
});

test("every code has a description and a number of its own", () => {
  const codes = Object.values(ReplyCode);
  expect(new Set(codes).size).toBe(codes.length);
  for (const code of codes) expect(describeReplyCode(code)).not.toContain("unknown code");
});

describe("by their names", () => {
  test.each(Object.entries(ReplyCode))("%s", (name, code) => {
    expect(isAccepted(code)).toBe(name.startsWith("Accepted"));
    expect(originOf(code)).toBe(/^ForeignAgent(?!Authentication$)/.test(name) ? "foreign-agent" : "home-agent");
  });
});
