/** RFC 1071; `initial` is a sum to add to. The checksum of bytes that include their own correct checksum is 0. */
export function internetChecksum(bytes: Uint8Array, initial = 0): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let sum = initial;
  const even = bytes.length & ~1;
  for (let offset = 0; offset < even; offset += 2) sum += view.getUint16(offset);
  if (even < bytes.length) sum += view.getUint8(even) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
