/** Tunnels as members tell each other of them. */
import { address, choice, flag, list, time, u8 } from "../layout/kinds.ts";
import { record } from "../layout/record.ts";

const TUNNEL = {
  careOfAddress: [address, "Where it ends."],
  encapsulation: [choice("ip-in-ip", "gre", "minimal"), "By which packets go to the mobile."],
  isReverse: [flag, "What the mobile sends may come back through it."],
  expiresAtMs: [time, "When it ends."],
} as const;

export const tunnels = list(u8, record(TUNNEL));
