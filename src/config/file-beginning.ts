import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from "node:fs";

/**
 * Reads the first `length` bytes of a regular file, or all of a shorter one. Anything else is refused, as reading a pipe
 * without a writer, or a device, may never end. Throws a system error, or one that says what the path leads to.
 */
export function readBeginning(file: string, length: number): Buffer {
  // Opening a pipe would wait for its writer otherwise.
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
