import type { Advertisement } from "../adapters/advertiser/advertiser.ts";
import type { Config, RungAttributes } from "../config/config.ts";
import type { Preference } from "../core/health/ladder.ts";

const NO_ATTRIBUTES: RungAttributes = { communities: [], med: undefined, asPathPrepend: 0 };

/** What a member announces with this preference; nothing if it is `undefined`. */
export function advertisements(config: Config, preference: Preference | undefined): Advertisement[] {
  if (preference === undefined) return [];
  const { communities, med, asPathPrepend } = preference === "normal" ? NO_ATTRIBUTES : config.health[preference];
  return config.announce.map((prefix) => ({
    prefix,
    preference,
    communities,
    ...(med === undefined ? {} : { med }),
    asPathPrepend,
  }));
}
