/** The time of an input, on two clocks. */
export interface Now {
  /** Epoch ms; may jump. Lifetimes and timestamps go by it. */
  readonly wallMs: number;
  /** Never goes back. Timeouts between members go by it. */
  readonly monotonicMs: number;
}
