import { ipBatch, ipJson } from "./namespace.ts";

/** On no interface: locally administered. */
const NOBODY = "02:00:00:00:00:00";

/** One way between two neighbors on a segment. */
export interface Direction {
  /** Namespace of who sends. */
  readonly from: string;
  /** Address of who hears nothing any more. */
  readonly to: string;
}

/**
 * Frames of `from` for `to` go to a hardware address that nobody has: nobody is told of their loss, as on a broken wire,
 * and the other direction stays as it is. Resolves with the time of the cut, epoch ms.
 */
export async function cut(directions: readonly Direction[]): Promise<number> {
  return onNeighbors(
    directions,
    (to, device) => `neighbour replace ${to} lladdr ${NOBODY} dev ${device} nud permanent`,
  );
}

export async function mend(directions: readonly Direction[]): Promise<void> {
  await onNeighbors(directions, (to, device) => `neighbour delete ${to} dev ${device}`);
}

/** Everything is prepared before the first command, which is as fast as it can be then. */
async function onNeighbors(
  directions: readonly Direction[],
  command: (to: string, device: string) => string,
): Promise<number> {
  const prepared = await Promise.all(
    directions.map(async ({ from, to }) => {
      const [route] = await ipJson<{ dev: string }>(["route", "get", to], from);
      if (route === undefined) throw new Error(`no route to ${to} in ${from}`);
      return { from, command: command(to, route.dev) };
    }),
  );
  const atMs = Date.now();
  await Promise.all(
    [...Map.groupBy(prepared, ({ from }) => from)].map(([from, its]) =>
      ipBatch(
        its.map((it) => it.command),
        from,
      ),
    ),
  );
  return atMs;
}
