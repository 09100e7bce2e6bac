/**
 * Keys, as they are written: in text, in hexadecimal digits, or in a file. Whatever might be meant otherwise than it would
 * be taken is refused, with what to write instead: a key that is misread would be noticed only when no mobile can register.
 */
import { statSync } from "node:fs";
import { codePointName, decodeUtf8 } from "../text/utf8.ts";
import { readBeginning } from "./file-beginning.ts";
import type { Path } from "./place.ts";
import type { Problems } from "./problem.ts";
import type { Source } from "./source.ts";

const OTHERS_READ = 0o004;
const HEX_PREFIX = "hex:";
const MAXIMUM_FILE_BYTES = 4096;

/** `problem` has nothing of the key in it. */
export type DecodedKey =
  | { readonly ok: true; readonly key: Uint8Array }
  | { readonly ok: false; readonly problem: string };

/** A file that holds keys should be readable by its owner only. */
export function isWorldReadable(file: string): boolean {
  return (statSync(file).mode & OTHERS_READ) !== 0;
}

/** Reads a key from the file that the value at `path` names. `undefined` if there is a problem; it is reported. */
export function readSecretFile(name: string, source: Source, path: Path, problems: Problems): Uint8Array | undefined {
  const file = source.resolve(name);
  let decoded: DecodedKey;
  try {
    decoded = readKeyFile(file);
    if (isWorldReadable(file)) {
      problems.warn(source, path, `every user can read ${file}; chmod 600 keeps the key to its owner`);
    }
  } catch (error) {
    problems.error(source, path, `cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
  if (decoded.ok) return decoded.key;
  problems.error(source, path, `${file} ${decoded.problem}`);
  return undefined;
}

/** The key in a file: its text without a final line end or, after `hex:`, what the digits say. Throws a system error. */
export function readKeyFile(file: string): DecodedKey {
  const content = readBeginning(file, MAXIMUM_FILE_BYTES + 1);
  if (content.length > MAXIMUM_FILE_BYTES) return refused(`has more than ${MAXIMUM_FILE_BYTES} bytes`);
  return decodeKeyFile(content);
}

export function decodeKeyFile(content: Uint8Array): DecodedKey {
  const remedy = "a key that has to be so is written as hex: and hexadecimal digits";
  const decoded = decodeUtf8(content);
  if (!decoded.ok) return refused(`${decoded.problem} (byte ${decoded.offset + 1}); ${remedy}`);
  const text = decoded.text.replace(/\r?\n$/, "");
  if (!text.startsWith(HEX_PREFIX)) return decodeTextKey(text, remedy);
  const key = decodeHexKey(text.slice(HEX_PREFIX.length).replaceAll(/\s/g, ""));
  return key.ok || text.length === HEX_PREFIX.length
    ? key
    : refused("has other than pairs of hexadecimal digits after hex:");
}

/** Controls, what can't be seen, line ends, and what stands for bytes that were no text. */
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}\ufffd]/u;

/**
 * What people or other programs may take for a notation: a word and a colon, or something that says of digits that they
 * are.
 */
const LIKE_A_PREFIX =
  /^\s*["']?(he?x|hexadecimal|0x|bin|base-?(16|32|64)|b64|text|ascii|utf-?8)\s*[:：=;]|^\s*["']?(0x|hex)[\s\da-f]+$/i;

/**
 * The bytes of a text in UTF-8.
 *
 * @param remedy how to write a key that is refused as text
 */
export function decodeTextKey(text: string, remedy: string): DecodedKey {
  if (text === "") return refused("is empty");
  const unseen = UNSEEN.exec(text)?.[0];
  if (text.startsWith("\ufeff")) return refused(`begins with a byte-order mark; ${remedy}`);
  if (unseen !== undefined) return refused(`has a character that can't be seen (${codePointName(unseen)}); ${remedy}`);
  if (text.trim() !== text) return refused(`begins or ends with white space; ${remedy}`);
  if (LIKE_A_PREFIX.test(text)) return refused(`begins like a prefix, but with none that is known here; ${remedy}`);
  return { ok: true, key: new TextEncoder().encode(text) };
}

export function decodeHexKey(digits: string): DecodedKey {
  if (!/^([0-9A-Fa-f]{2})*$/.test(digits)) return refused("is not pairs of hexadecimal digits");
  return digits === "" ? refused("is empty") : { ok: true, key: Uint8Array.from(Buffer.from(digits, "hex")) };
}

function refused(problem: string): DecodedKey {
  return { ok: false, problem };
}
