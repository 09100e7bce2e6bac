/** An attacker who has recorded requests between mobiles and home agents, and sends them again from an address of his own. */
import { type Endpoint, ipv4 } from "../core/wire/ipv4.ts";
import { type Attempt, CONVERGENCE_MS, isDegraded, type Mobile, rowOf } from "./mobile.ts";
import type { SimulatedNode } from "./node.ts";
import type { World } from "./world.ts";

const ATTACKER: Endpoint = { address: ipv4("198.51.100.66"), port: 6666 };

/** A request of a mobile, and how it is sent again. */
export interface Replay {
  readonly mobile: Mobile;
  /** As the attacker sends it. */
  readonly attempt: Attempt;
  /** The request that it repeats, and whether it may be taken for a retransmission. */
  readonly replay: { readonly of: Attempt; readonly mayBeRetransmission: boolean };
}

/**
 * An accepted request of the mobile, if there is one that may be sent again. A member that holds it as the mobile's last takes
 * it for a retransmission, repeats the reply, and changes nothing (RFC 5944 3.8.2.2); that no member holds it for long once
 * there is a later one, the monitor checks. If none does, it must not be accepted. What was granted for a short time may be
 * known to one member alone, and be lost with it.
 */
export function drawReplay(world: World, mobile: Mobile): Replay | undefined {
  // What was signed before its replay state was forgotten, with a clock that was ahead, may be new again.
  const old = mobile.attempts.filter(({ accepted, sentMs }) => accepted !== undefined && sentMs > mobile.forgottenAtMs);
  // Across a partition, and until copies have met again, no member can know what the other side has accepted.
  if (old.length === 0 || world.announced.length === 0 || !world.wasWholeSince(world.queue.nowMs - CONVERGENCE_MS))
    return undefined;
  const of = world.random.pick(old);
  const isHeld = world.nodes.some((node) => holdsAsLast(node, mobile, of));
  return {
    mobile,
    attempt: { ...of, source: ATTACKER, datagrams: 1, replies: 0, repliers: new Set(), accepted: undefined },
    replay: { of, mayBeRetransmission: isDegraded(of) || isHeld },
  };
}

function holdsAsLast(node: SimulatedNode, mobile: Mobile, { identification }: Attempt): boolean {
  return node.state !== "down" && rowOf(node, mobile)?.registration.identification === identification;
}
