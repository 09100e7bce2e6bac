import type { Ipv4Prefix } from "../core/wire/ipv4.ts";
import type { HealthConfig, RungAttributes } from "./config.ts";
import type { ConfigFile } from "./schema.ts";

type HealthSection = ConfigFile["health"];

/** `prefix`: what tells whether a member is announced. */
export function resolveHealth(health: HealthSection, prefix: Ipv4Prefix): HealthConfig {
  const { damping } = health;
  return {
    ladder: {
      startDelayMs: health["start-delay"],
      holdDownMs: health["hold-down"],
      damping: {
        halfLifeMs: damping["half-life"],
        suppress: damping.suppress,
        reuse: damping.reuse,
        maximumMs: damping.maximum,
      },
    },
    hysteresis: { rise: health.rise, fall: health.fall },
    selfChecks: {
      prefix,
      eventLoop: health["event-loop"],
      storeLatency: health["store-latency"],
      freeDisk: health["free-disk"],
      receiveOverflows: health["receive-overflows"],
      clockSkew: health.clock,
      unheardMs: health["unheard-after"],
    },
    execChecks: health.exec.map(({ interval, timeout, command, "on-failure": onFailure, ...check }) => ({
      ...check,
      command: command as [string, ...string[]],
      intervalMs: interval,
      timeoutMs: timeout,
      onFailure: onFailure === "withdraw" ? "fail" : "degraded",
    })),
    low: resolveAttributes(health.low),
    lowest: resolveAttributes(health.lowest),
  };
}

function resolveAttributes(attributes: HealthSection["low" | "lowest"]): RungAttributes {
  return {
    communities: attributes.communities,
    med: attributes.med,
    asPathPrepend: attributes["as-path-prepend"],
  };
}
