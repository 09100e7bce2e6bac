/** Security associations, in the configuration file or one beside it. */
import { z } from "zod";
import {
  addressRange,
  hostAddress,
  integer,
  nai,
  optionalDuration,
  path,
  realm,
  sourceNetwork,
  text,
} from "./fields.ts";
import { list, section } from "./shapes.ts";

const keySources = {
  key: text("text", 1024, /./s)
    .optional()
    .describe("The key as text; its UTF-8 bytes are the key. One of `key`, `key-hex`, `key-file`."),
  "key-hex": text("pairs of hexadecimal digits", 2048, /^([0-9A-Fa-f]{2})+$/)
    .optional()
    .describe("The key in hexadecimal."),
  "key-file": path()
    .optional()
    .describe(
      "File that holds the key: its text, without a final line end, or in hexadecimal after `hex:`. Relative to the file that names it.",
    ),
};

const association = {
  spi: integer(256, 4_294_967_295).describe("Security Parameter Index; 0 to 255 are reserved (RFC 5944 3.5.2)."),
  algorithm: z
    .enum(["hmac-md5", "keyed-md5"])
    .default("hmac-md5")
    .describe("HMAC-MD5 (RFC 5944 3.5.1), or the prefix+suffix MD5 of RFC 2002 for old mobiles."),
  ...keySources,
};

const mobileAssociation = section({
  nai: nai()
    .optional()
    .describe(
      "The mobile with this NAI. One of `nai`, `home-address`, `range`, `realm`; the most specific match wins.",
    ),
  "home-address": hostAddress().optional().describe("The mobile with this home address."),
  range: addressRange().optional().describe("All mobiles with home addresses in this range."),
  realm: realm().optional().describe("All mobiles whose NAI has this realm."),
  ...association,
  replay: z.enum(["timestamps", "nonces"]).default("timestamps").describe("Style of replay protection (RFC 5944 5.7)."),
  window: optionalDuration("7s", { from: "1s", to: "1h" }).describe(
    "Tolerated clock difference, with timestamps only. Default: 7s.",
  ),
});

const foreignAgentAssociation = section({
  network: sourceNetwork()
    .optional()
    .describe("Foreign agents with addresses in this network. One of `network`, `address`."),
  address: hostAddress().optional().describe("The foreign agent with this address."),
  ...association,
});

/** Of the main file, and of the file that `security-associations-file` names. */
export const securityAssociations = section({
  mobiles: list(mobileAssociation).prefault([]).describe("Associations with mobile nodes."),
  "foreign-agents": list(foreignAgentAssociation).prefault([]).describe("Associations with foreign agents."),
});
