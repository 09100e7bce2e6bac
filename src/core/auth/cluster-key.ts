/**
 * Keys of the cluster channel, derived from the one secret that all members share. They are key objects, because
 * an HMAC with the plain bytes takes Node 24 five times as long.
 */
import { createHmac, createSecretKey, hkdfSync, type KeyObject, timingSafeEqual } from "node:crypto";

/** Length of a frame authenticator: HMAC-SHA-256-128, the truncation of RFC 4868 2.3. */
export const FRAME_AUTHENTICATOR_LENGTH = 16;

const KEY_LENGTH = 32;

/**
 * Derives the key of one direction between two members. Being directed, a frame can neither be reflected to its sender
 * nor passed off to a third member.
 */
export function deriveFrameKey(secret: Uint8Array, cluster: string, sender: string, receiver: string): KeyObject {
  return derive(secret, "frame", [cluster, sender, receiver]);
}

/** The pre-shared key of the stream that `dialer` opens to `listener`. */
export function deriveStreamKey(secret: Uint8Array, cluster: string, dialer: string, listener: string): Uint8Array {
  return derive(secret, "stream", [cluster, dialer, listener]).export();
}

/**
 * The key that nonces for replay protection come from (RFC 5944 5.7.2): one per cluster, so that any member can check any
 * nonce.
 */
export function deriveNonceKey(secret: Uint8Array, cluster: string): KeyObject {
  return derive(secret, "nonce", [cluster]);
}

/** The key of placement. Without it, no one can choose an identifier that is placed on a given member. */
export function derivePlacementKey(secret: Uint8Array, cluster: string): KeyObject {
  return derive(secret, "placement", [cluster]);
}

export function frameAuthenticator(key: KeyObject, covered: Uint8Array): Uint8Array {
  return createHmac("sha256", key).update(covered).digest().subarray(0, FRAME_AUTHENTICATOR_LENGTH);
}

export function verifyFrame(key: KeyObject, covered: Uint8Array, authenticator: Uint8Array): boolean {
  return (
    authenticator.length === FRAME_AUTHENTICATOR_LENGTH &&
    timingSafeEqual(frameAuthenticator(key, covered), authenticator)
  );
}

/** HKDF-SHA-256; the names are length-prefixed so that no two lists of names give the same info string. */
function derive(secret: Uint8Array, purpose: string, names: readonly string[]): KeyObject {
  const info = ["anyhome v1", purpose, ...names].map((name) => `${name.length}:${name}`).join(",");
  return createSecretKey(new Uint8Array(hkdfSync("sha256", secret, "", info, KEY_LENGTH)));
}
