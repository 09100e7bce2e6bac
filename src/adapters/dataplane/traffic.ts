/** What has gone through the tunnels of a mobile. */
export interface Traffic {
  readonly packetsToMobile: number;
  readonly octetsToMobile: number;
  readonly packetsFromMobile: number;
  readonly octetsFromMobile: number;
}

export const NO_TRAFFIC: Traffic = {
  packetsToMobile: 0,
  octetsToMobile: 0,
  packetsFromMobile: 0,
  octetsFromMobile: 0,
};

export function sumOf(one: Traffic, other: Traffic): Traffic {
  return {
    packetsToMobile: one.packetsToMobile + other.packetsToMobile,
    octetsToMobile: one.octetsToMobile + other.octetsToMobile,
    packetsFromMobile: one.packetsFromMobile + other.packetsFromMobile,
    octetsFromMobile: one.octetsFromMobile + other.octetsFromMobile,
  };
}
