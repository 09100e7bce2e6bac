/** The time of an input, on two clocks. */
export interface Now {
  /** Epoch ms. The system's may jump; lifetimes and timestamps go by that of members/trusted-clock.ts. */
  readonly wallMs: number;
  /** Never goes back. Timeouts between members go by it. */
  readonly monotonicMs: number;
}
