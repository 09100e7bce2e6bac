interface Blockable {
  readonly _handle?: { setBlocking?(wanted: boolean): unknown };
}

/**
 * Makes stdout and stderr non-blocking, whoever in this process writes to them, native code and Node's own warnings included:
 * a pipe or a terminal that nobody reads would stop the writer, and be it the main thread. Node makes pipes and sockets
 * non-blocking when it first touches them, and opens terminals anew, for itself alone, but has writes to these wait.
 * Files can't be non-blocking.
 */
export function unblockStandardStreams(): void {
  for (const stream of [process.stdout, process.stderr] as Blockable[]) stream._handle?.setBlocking?.(false);
}
