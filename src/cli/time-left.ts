import { formatSeconds } from "../text/units.ts";

/** How long it is until a time from the API, for people; `null` means never. */
export function timeLeft(expiresAt: string | null): string {
  return expiresAt === null ? "never" : formatSeconds((Date.parse(expiresAt) - Date.now()) / 1000);
}
