import { formatSeconds } from "../text/units.ts";

/** How long until a time of the API, for people; `null` is never. */
export function timeLeft(expiresAt: string | null): string {
  return expiresAt === null ? "never" : formatSeconds((Date.parse(expiresAt) - Date.now()) / 1000);
}
