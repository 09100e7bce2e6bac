/** Why a stream did not come about, or ended. The names are stable: they name counters, and stand in the log. */
export type StreamFault =
  // Before the other side has proved anything
  /** No TLS 1.3 with a pre-shared key: a stranger, a scanner, another program. */
  | "bad-handshake"
  /** A member by name, with another key: the secret files differ. */
  | "bad-key"
  | "unknown-member"
  | "other-cluster"
  /** The caller uses our id. */
  | "own-id"
  /** The peer knows no key of ours: it is of another cluster, or does not have us among its members. */
  | "refused"
  | "handshake-timeout"
  /** Displaced by newer ones, as in a flood. */
  | "too-many-handshakes"
  // After the other side has proved that it has the right key
  | "malformed-hello"
  | "newer-version"
  | "wrong-member"
  /** Its clock is too far from ours. */
  | "clock-skew"
  /** Of an earlier run of the peer than the stream that is there. */
  | "older-boot-count"
  | "malformed-message"
  | "frame-too-large"
  /** Ours: the core must page. */
  | "message-too-large"
  /** The peer, or the path to it, is gone. */
  | "silent"
  /** The peer reads too slowly. */
  | "unsent-bytes"
  /** The peer is no member any more, or has moved to another address: by a new configuration. */
  | "removed"
  /** By a newer connection of the same peer. */
  | "replaced"
  /** By the peer. */
  | "ended"
  /** A system error such as ECONNRESET, or an error of ours while a message was dealt with. */
  | "failed";
