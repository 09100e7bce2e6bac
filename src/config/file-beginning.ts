import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from "node:fs";

/**
 * So many bytes of a regular file, or all there are. Whatever else a path may lead to is refused: a pipe that nobody writes
 * to, or a device, would hold the caller up for ever. Throws a system error, or one that says what the path leads to.
 */
export function readBeginning(file: string, length: number): Buffer {
  // Without blocking, as the open of a pipe waits for a writer.
  const descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw new Error(`${file} is ${kindOf(stats)}, not a regular file`);
    const bytes = Buffer.alloc(length);
    let filled = 0;
    for (let read = -1; read !== 0 && filled < length; filled += read) {
      read = readSync(descriptor, bytes, filled, length - filled, null);
    }
    return bytes.subarray(0, filled);
  } finally {
    closeSync(descriptor);
  }
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return "a directory";
  return stats.isFIFO() ? "a pipe" : "a device";
}
