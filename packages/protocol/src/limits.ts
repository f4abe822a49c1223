/** Every bound of the wire, in one place. Durations end in `Ms`, sizes in `Bytes`. */
export const limits = {
  /** A larger message is refused with `message_too_large`; the connection stays open. */
  messageBytes: 1_048_576,
  /** A larger payload is refused with `result_too_large` or `arguments_too_large`. It travels in chunks. */
  payloadBytes: 64 * 1_048_576,
  /** Bytes of a payload in one chunk. */
  chunkBytes: 65_536,
  /** Bytes of one exchange's payloads, in one direction, that their receiver has not used yet. */
  windowBytes: 262_144,
  /** A larger frame closes the socket with 1009 and is never buffered. */
  frameBytes: 4 * 1_048_576,
  /** Bytes that a peer may send before it answers its challenge. */
  unverifiedBytes: 4_096,
  /** A peer that leaves more than this unread is disconnected. */
  sendBufferBytes: 16 * 1_048_576,
  /** Starts when the socket opens; messages of the peer do not extend it. */
  challengeMs: 30_000,
  challengeAttempts: 3,
  /** Longest time after which a device must prove its key again on the same connection. */
  renewalMs: 600_000,
  /** Longest token. */
  tokenChars: 8_192,
  /** Malformed messages a verified peer may send within `strikeWindowMs` before it is closed. */
  strikes: 10,
  strikeWindowMs: 60_000,
  /** Nesting of JSON that is parsed. What only passes through has no such limit. */
  jsonDepth: 1_000,
  /** Members of the outermost object of a frame. */
  frameMembers: 32,
  /** Sum over all parts of one catalog. */
  catalogBytes: 8 * 1_048_576,
  serversPerAgent: 64,
  toolsPerServer: 1_024,
  nameChars: 128,
  callIdChars: 128,
  /** Longest human-readable text in an error or status message. */
  textChars: 2_048,
} as const
