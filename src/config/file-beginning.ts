import { closeSync, openSync, readSync } from "node:fs";

/** So many bytes of a file, or all there are: a pipe ends when it likes, and a device never. */
export function readBeginning(file: string, length: number): Buffer {
  const descriptor = openSync(file, "r");
  try {
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
