/** Implementations that are not ours read what we write, and write what we read. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { computeAuthenticator } from "../../../src/core/auth/authenticator.ts";
import { ExtensionType } from "../../../src/core/wire/extension.ts";
import { formatIpv4, ipv4 } from "../../../src/core/wire/ipv4.ts";
import { MessageWriter } from "../../../src/core/wire/message-writer.ts";
import {
  decodeRegistrationReply,
  decodeRegistrationRequest,
  encodeReplyFields,
  encodeRequestFields,
  RequestFlag,
} from "../../../src/core/wire/registration-message.ts";
import { golden, hex } from "./golden.ts";

const PYTHON = "/usr/bin/python3";

const request = {
  flags: RequestFlag.S | RequestFlag.D | RequestFlag.T,
  lifetimeSeconds: 1800,
  homeAddress: ipv4("10.64.1.2"),
  homeAgent: ipv4("10.64.0.1"),
  careOfAddress: ipv4("192.0.2.9"),
  identification: 0xeeae4567_dcd51001n,
};

const reply = {
  code: 133,
  lifetimeSeconds: 0,
  homeAddress: ipv4("10.64.1.2"),
  homeAgent: ipv4("10.64.0.1"),
  identification: 0xeeae4599_dcd51001n,
};

function run(command: string, args: readonly string[]): string {
  const result = spawnSync(command, args, { encoding: "utf8", timeout: 60_000 });
  if (result.error !== undefined) throw result.error;
  if (result.status !== 0) throw new Error(`${command} answered ${result.status}: ${result.stderr}`);
  return result.stdout.trim();
}

/** Where CI says that everything is installed, a judge that is missing fails the test instead of skipping it. */
function isMissing(judge: string, command: string, args: readonly string[]): boolean {
  if (process.env.CI !== undefined || spawnSync(command, args).status === 0) return false;
  process.stderr.write(`\nSKIPPED: ${judge} is not installed, so it cannot judge our messages\n`);
  return true;
}

describe.skipIf(isMissing("scapy", PYTHON, ["-c", "import scapy.layers.mobileip"]))(
  "scapy",
  { timeout: 60_000 },
  () => {
    function scapy(script: string): string {
      return run(PYTHON, ["-c", `from scapy.layers.mobileip import *\n${script}`])
        .toString()
        .trim();
    }

    test("builds requests and replies that we read", () => {
      const [requestHex = "", replyHex = ""] = scapy(`
print(bytes(MobileIP(type=1)/MobileIPRRQ(flags=0xa2, lifetime=1800, homeaddr="10.64.1.2", haaddr="10.64.0.1",
    coaddr="192.0.2.9", id=0xeeae4567dcd51001)).hex())
print(bytes(MobileIP(type=3)/MobileIPRRP(code=133, lifetime=0, homeaddr="10.64.1.2", haaddr="10.64.0.1",
    id=0xeeae4599dcd51001)).hex())`).split("\n");
      expect(decodeRegistrationRequest(Buffer.from(requestHex, "hex"))).toMatchObject({ ok: true, message: request });
      expect(decodeRegistrationReply(Buffer.from(replyHex, "hex"))).toMatchObject({ ok: true, message: reply });
    });

    test("reads the requests and replies that we build", () => {
      const lines = scapy(`
q = MobileIP(bytes.fromhex("${hex(encodeRequestFields(request))}"))
print(q.type, q.flags, q.lifetime, q.homeaddr, q.haaddr, q.coaddr, hex(q.id))
p = MobileIP(bytes.fromhex("${hex(encodeReplyFields(reply))}"))
print(p.type, p.code, p.lifetime, p.homeaddr, p.haaddr, hex(p.id))`).split("\n");
      expect(lines).toEqual([
        "1 162 1800 10.64.1.2 10.64.0.1 192.0.2.9 0xeeae4567dcd51001",
        "3 133 0 10.64.1.2 10.64.0.1 0xeeae4599dcd51001",
      ]);
    });
  },
);

describe.skipIf(isMissing("tshark", "tshark", ["--version"]))("tshark", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "anyhome-judges-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** The values of `fields`, separated by blanks; several occurrences of one field by commas. */
  function dissect(message: Uint8Array, fields: readonly string[]): string {
    const [dump, capture] = [join(folder, "message.hex"), join(folder, "message.pcap")];
    writeFileSync(dump, `000000 ${hex(message).replaceAll(/(..)/g, "$1 ")}\n`);
    run("text2pcap", ["-q", "-u", "40000,434", dump, capture]);
    const wanted = ["_ws.malformed", "_ws.expert.message", ...fields].flatMap((field) => ["-e", field]);
    return run("tshark", ["-r", capture, "-T", "fields", "-E", "separator=/s", ...wanted]);
  }

  const association = { spi: 256, algorithm: "hmac-md5", key: golden.key } as const;
  const sign = (covered: Uint8Array) => computeAuthenticator(association, covered);
  const vendor = { vendorId: 9, vendorType: 5, value: Uint8Array.of(0xaa, 0xbb) };

  test("reads every extension of our requests, and finds nothing malformed", () => {
    const message = new MessageWriter(encodeRequestFields(request))
      .appendNai("alice@example.com")
      .appendVendor("critical", vendor)
      .appendVendor("normal", vendor)
      .appendAuthentication(ExtensionType.MobileHomeAuthentication, 256, sign)
      .appendAuthentication(ExtensionType.MobileForeignAuthentication, 257, sign)
      .appendAuthentication(ExtensionType.ForeignHomeAuthentication, 258, sign)
      .finish();
    const address = dissect(message, ["mip.type", "mip.flags", "mip.life", "mip.homeaddr", "mip.haaddr", "mip.coa"]);
    expect(address).toBe("1 0xa2 1800 10.64.1.2 10.64.0.1 192.0.2.9");
    expect(dissect(message, ["mip.nai", "mip.ext.type", "mip.auth.spi"])).toBe(
      "alice@example.com 131,38,134,32,33,34 0x00000100,0x00000101,0x00000102",
    );
    expect(dissect(message, ["mip.ext.cvse.vendor_type", "mip.ext.cvse.vendor_value"])).toBe("0x0005 aabb");
    expect(dissect(message, ["mip.ext.nvse.vendor_id", "mip.ext.nvse.vendor_value"])).toBe("9 aabb");
  });

  test("reads our replies, and finds nothing malformed", () => {
    const message = new MessageWriter(encodeReplyFields(reply))
      .appendNai("alice@example.com")
      .appendAuthentication(ExtensionType.MobileHomeAuthentication, 256, sign)
      .finish();
    expect(dissect(message, ["mip.type", "mip.code", "mip.life", "mip.homeaddr", "mip.haaddr", "mip.nai"])).toBe(
      `3 133 0 ${formatIpv4(reply.homeAddress)} ${formatIpv4(reply.homeAgent)} alice@example.com`,
    );
  });

  test("is a judge that does find what is malformed", () => {
    expect(dissect(golden.bytes.subarray(0, 40), ["mip.type"])).toContain("Malformed");
  });
});
