interface Blockable {
  readonly _handle?: { setBlocking?(wanted: boolean): unknown };
}

/**
 * Makes stdout and stderr non-blocking for everything in this process that writes to them, including native code and Node's
 * own warnings: a pipe or terminal that is never read would stop the writer, even if that is the main thread. Node makes
 * pipes and sockets non-blocking when it first uses them, and opens terminals again for itself, but writes to these block.
 * Files can't be non-blocking.
 */
export function unblockStandardStreams(): void {
  for (const stream of [process.stdout, process.stderr] as Blockable[]) stream._handle?.setBlocking?.(false);
}
