import { ipBatch, ipJson } from "./namespace.ts";

/** On no interface: locally administered. */
const NOBODY = "02:00:00:00:00:00";

/** How `ip` is run where the frames are sent. */
export interface Reach {
  json<T>(args: readonly string[], from: string): Promise<T[]>;
  batch(commands: readonly string[], from: string): Promise<void>;
}

const NAMESPACES: Reach = { json: ipJson, batch: ipBatch };

/** One way between two neighbors on a segment. */
export interface Direction {
  /** Namespace of who sends, or what else the reach knows it by. */
  readonly from: string;
  /** Address of who hears nothing any more. */
  readonly to: string;
}

/**
 * Frames of `from` for `to` go to a hardware address that does not exist, so their loss goes unnoticed, as on a broken
 * wire, and the other direction stays as it is. Resolves with the time of the cut, epoch ms.
 */
export async function cut(directions: readonly Direction[], reach = NAMESPACES): Promise<number> {
  return onNeighbors(
    directions,
    reach,
    (to, device) => `neighbour replace ${to} lladdr ${NOBODY} dev ${device} nud permanent`,
  );
}

export async function mend(directions: readonly Direction[], reach = NAMESPACES): Promise<void> {
  await onNeighbors(directions, reach, (to, device) => `neighbour delete ${to} dev ${device}`);
}

/** Everything is prepared before the first command, which is as fast as it can be then. */
async function onNeighbors(
  directions: readonly Direction[],
  reach: Reach,
  command: (to: string, device: string) => string,
): Promise<number> {
  const prepared = await Promise.all(
    directions.map(async ({ from, to }) => {
      const [route] = await reach.json<{ dev: string }>(["route", "get", to], from);
      if (route === undefined) throw new Error(`no route to ${to} in ${from}`);
      return { from, command: command(to, route.dev) };
    }),
  );
  const atMs = Date.now();
  await Promise.all(
    [...Map.groupBy(prepared, ({ from }) => from)].map(([from, its]) =>
      reach.batch(
        its.map((it) => it.command),
        from,
      ),
    ),
  );
  return atMs;
}
