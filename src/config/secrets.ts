import { readFileSync, statSync } from "node:fs";
import type { Path } from "./place.ts";
import type { Problems } from "./problem.ts";
import type { Source } from "./source.ts";

const OTHERS_READ = 0o004;

/** A file that holds keys should be readable by its owner only. */
export function isWorldReadable(file: string): boolean {
  return (statSync(file).mode & OTHERS_READ) !== 0;
}

/**
 * Reads a key from the file that the value at `path` names: its bytes without a final line end or, after `hex:`, what the
 * hexadecimal digits say. `undefined` if there is a problem; it is reported, with nothing of the content.
 */
export function readSecretFile(name: string, source: Source, path: Path, problems: Problems): Uint8Array | undefined {
  const file = source.resolve(name);
  let content: Buffer;
  try {
    content = readFileSync(file);
    if (isWorldReadable(file)) {
      problems.warn(source, path, `every user can read ${file}; chmod 600 keeps the key to its owner`);
    }
  } catch (error) {
    problems.error(source, path, `cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
  const secret = decodeSecret(content);
  if (secret === undefined) problems.error(source, path, `${file}: expected pairs of hexadecimal digits after hex:`);
  else if (secret.length === 0) problems.error(source, path, `${file} is empty`);
  return secret === undefined || secret.length === 0 ? undefined : secret;
}

/** The bytes of a key file: without a final line end or, after `hex:`, what the digits say. */
export function decodeSecret(content: Buffer): Uint8Array | undefined {
  const text = content.toString("latin1").replace(/\r?\n$/, "");
  if (!text.startsWith("hex:")) return Uint8Array.from(Buffer.from(text, "latin1"));
  return decodeHex(text.slice("hex:".length).replaceAll(/\s/g, ""));
}

/** `undefined` unless the text is pairs of hexadecimal digits. */
export function decodeHex(digits: string): Uint8Array | undefined {
  return /^([0-9A-Fa-f]{2})*$/.test(digits) ? Uint8Array.from(Buffer.from(digits, "hex")) : undefined;
}
