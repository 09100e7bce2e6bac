/** A MAC address as its 48-bit number, so that it can be compared and kept as cheaply as an IPv4 address. */
export type MacAddress = number & { readonly [macAddress]: true };

declare const macAddress: unique symbol;

const FORM = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;

/** `undefined` if the text is not the MAC address of a station: other text, all zeros (none), or the group bit set. */
export function parseMac(text: string): MacAddress | undefined {
  if (!FORM.test(text)) return undefined;
  const mac = Number.parseInt(text.replaceAll(":", ""), 16);
  const isGroup = Math.floor(mac / 2 ** 40) % 2 === 1;
  return mac === 0 || isGroup ? undefined : (mac as MacAddress);
}

export function formatMac(mac: MacAddress): string {
  return mac
    .toString(16)
    .padStart(12, "0")
    .replaceAll(/..(?!$)/g, "$&:");
}
