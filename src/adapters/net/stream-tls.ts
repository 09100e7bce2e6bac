/** TLS 1.3 with a pre-shared key and nothing else: no certificates, no older versions. */
import type { SecureContextOptions } from "node:tls";
import type { MemberId } from "../../core/names.ts";

/** OpenSSL takes keys from a callback for SHA-256 only, and this is the cipher suite with it. */
export const SECURITY = {
  minVersion: "TLSv1.3",
  ciphers: "TLS_AES_128_GCM_SHA256",
} as const satisfies SecureContextOptions;

/** For everything from the first packet to the end of TLS's handshake. */
export const HANDSHAKE_TIMEOUT_MS = 2000;

/** What a dialer calls itself, in clear text. Neither name contains "@". */
export function formatIdentity(member: MemberId, cluster: string): string {
  return `${member}@${cluster}`;
}

export function parseIdentity(identity: string): { readonly member: MemberId; readonly cluster: string } {
  const [member = "", ...cluster] = identity.split("@");
  return { member, cluster: cluster.join("@") };
}
