/** Hashes of 32 bits without a key, for use where no one gains by making two things collide. */

/** FNV-1a. */
export function hashText(text: string, seed: number): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}

/** Spreads what differs in a few bits over all of them. */
export function mix(value: number): number {
  const hash = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}
