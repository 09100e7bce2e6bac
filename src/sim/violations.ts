/** Of what must hold at every moment: when it was first seen not to; what lasts is said once. */
export function noteViolation(violations: string[], nowMs: number, violation: string): void {
  if (violations.some((known) => known.endsWith(violation))) return;
  violations.push(`at ${nowMs.toFixed(0)} ms: ${violation}`);
}
