import { ipv4 } from "../../../src/core/wire/ipv4.ts";

/** A Registration Request made by an implementation that is not ours, and what it says. */
export const golden = {
  bytes: new Uint8Array(
    Buffer.from("012802580a0900050a0900010a080009eeae4567dcd51000201400000100491cd39e48003cc2d3a632a71672fedb", "hex"),
  ),
  fields: {
    flags: 0x28,
    lifetimeSeconds: 600,
    homeAddress: ipv4("10.9.0.5"),
    homeAgent: ipv4("10.9.0.1"),
    careOfAddress: ipv4("10.8.0.9"),
    identification: 0xeeae4567dcd51000n,
  },
  spi: 256,
  key: new Uint8Array(Buffer.from("1234567812345678", "latin1")),
  hmacMd5: "491cd39e48003cc2d3a632a71672fedb",
  keyedMd5: "7cb890cb7a3a891380e5b29cd895a42b",
};

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** Bytes from hex digits; white space is for the reader. */
export function fromHex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replaceAll(/\s/g, ""), "hex"));
}
