/** Messages for property tests: as descriptions, which an independent walk can be compared with, and as bytes. */
import fc from "fast-check";
import { type DynamicHomeAgentSubtype, ExtensionType } from "../../../src/core/wire/extension.ts";
import { encodeLongExtension, encodeShortExtension } from "../../../src/core/wire/extension-header.ts";
import type { Ipv4Address } from "../../../src/core/wire/ipv4.ts";
import { MessageWriter } from "../../../src/core/wire/message-writer.ts";
import type { ReplyFields, RequestFields } from "../../../src/core/wire/registration-message.ts";

export type ExtensionDescription =
  | { kind: "nai"; type: number; nai: string }
  | { kind: "vendor"; type: number; vendorId: number; vendorType: number; value: Uint8Array }
  | { kind: "dynamic-home-agent"; type: number; subtype: DynamicHomeAgentSubtype; homeAgent: Ipv4Address }
  | { kind: "skipped"; type: number; value: Uint8Array }
  | { kind: "authentication"; type: number; spi: number; authenticator: Uint8Array };

const uint32 = fc.integer({ min: 0, max: 0xffffffff });
const uint16 = fc.integer({ min: 0, max: 0xffff });
const uint8 = fc.integer({ min: 0, max: 0xff });
const identification = fc.bigInt({ min: 0n, max: 0xffffffffffffffffn });
export const address = uint32.map((value) => value as Ipv4Address);

export const requestFields: fc.Arbitrary<RequestFields> = fc.record({
  flags: uint8,
  lifetimeSeconds: uint16,
  homeAddress: address,
  homeAgent: address,
  careOfAddress: address,
  identification,
});

export const replyFields: fc.Arbitrary<ReplyFields> = fc.record({
  code: uint8,
  lifetimeSeconds: uint16,
  homeAddress: address,
  homeAgent: address,
  identification,
});

export const nai: fc.Arbitrary<string> = fc
  .tuple(fc.stringMatching(/^[!-~äπ]{0,40}$/), fc.stringMatching(/^[a-z0-9.-]{1,40}$/))
  .map(([user, realm]) => `${user}@${realm}`);

const vendor = fc.record({
  kind: fc.constant("vendor" as const),
  vendorId: uint32,
  vendorType: uint16,
});

const authenticator = fc.uint8Array({ minLength: 16, maxLength: 16 });

export const extensions: fc.Arbitrary<ExtensionDescription[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant("nai" as const), type: fc.constant(ExtensionType.Nai as number), nai }),
    fc
      .tuple(vendor, fc.uint8Array({ maxLength: 400 }))
      .map(([fields, value]) => ({ ...fields, type: ExtensionType.CriticalVendor as number, value })),
    fc
      .tuple(vendor, fc.uint8Array({ maxLength: 247 }))
      .map(([fields, value]) => ({ ...fields, type: ExtensionType.NormalVendor as number, value })),
    fc.record({
      kind: fc.constant("dynamic-home-agent" as const),
      type: fc.constant(ExtensionType.DynamicHomeAgent as number),
      subtype: fc.constantFrom<DynamicHomeAgentSubtype>("requested", "redirected"),
      homeAgent: address,
    }),
    fc.record({
      kind: fc.constant("skipped" as const),
      type: fc.integer({ min: 128, max: 255 }).filter((type) => ![131, 134, 139].includes(type)),
      value: fc.uint8Array({ maxLength: 255 }),
    }),
    fc.record({
      kind: fc.constant("authentication" as const),
      type: fc.integer({ min: 32, max: 34 }),
      spi: uint32,
      authenticator,
    }),
  ),
  { maxLength: 8 },
);

/** Writes what was described; `onSign` sees what each authenticator covers. */
export function write(
  fixedPart: Uint8Array,
  descriptions: readonly ExtensionDescription[],
  onSign: (covered: Uint8Array) => void = () => {},
): Uint8Array {
  let writer = new MessageWriter(fixedPart);
  for (const description of descriptions) {
    switch (description.kind) {
      case "nai":
        writer.appendNai(description.nai);
        break;
      case "vendor":
        writer.appendVendor(description.type === ExtensionType.CriticalVendor ? "critical" : "normal", description);
        break;
      case "dynamic-home-agent":
        writer = new MessageWriter(Buffer.concat([writer.finish(), encodeDynamicHomeAgent(description)]));
        break;
      case "skipped":
        writer.append(description.type, description.value);
        break;
      case "authentication":
        writer.appendAuthentication(description.type, description.spi, (covered) => {
          onSign(covered);
          return description.authenticator;
        });
    }
  }
  return writer.finish();
}

/** In either layout, depending on the address. */
function encodeDynamicHomeAgent(description: {
  readonly type: number;
  readonly subtype: DynamicHomeAgentSubtype;
  readonly homeAgent: Ipv4Address;
}): Uint8Array {
  const { type, subtype, homeAgent } = description;
  const data = new Uint8Array(4);
  new DataView(data.buffer).setUint32(0, homeAgent);
  const encode = homeAgent % 2 === 0 ? encodeLongExtension : encodeShortExtension;
  return encode(type, subtype === "requested" ? 1 : 2, data);
}
