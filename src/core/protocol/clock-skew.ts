/**
 * Whether two clocks, as epoch ms or as offsets, differ by more than members tolerate: one rule for heartbeats, for the hello of
 * a stream, and for whose word about the time is one's own.
 */
export function areTooFarApart(oneMs: number, otherMs: number, maximumSkewMs: number): boolean {
  return Math.abs(oneMs - otherMs) > maximumSkewMs;
}
