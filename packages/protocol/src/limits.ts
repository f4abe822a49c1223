/** Every bound of the wire, in one place. Durations end in `Ms`, sizes in `Bytes`. */
export const limits = {
  /** A message over this is refused with `message_too_large`; the connection stays. */
  messageBytes: 1_048_576,
  /** A frame over this closes the socket with 1009 and is never buffered. */
  frameBytes: 4 * 1_048_576,
  /** All that a peer may send before its challenge is answered. */
  unverifiedBytes: 4_096,
  /** A peer that lets more than this wait to be read is cut off. */
  sendBufferBytes: 16 * 1_048_576,
  /** From the first moment of the socket, whatever is sent meanwhile. */
  challengeMs: 30_000,
  challengeAttempts: 3,
  /** A device proves its key again after this at the latest, on the same connection. */
  renewalMs: 600_000,
  /** Longest token. */
  tokenChars: 8_192,
  /** Malformed messages a verified peer may send within `strikeWindowMs` before it is closed. */
  strikes: 10,
  strikeWindowMs: 60_000,
  /** Nesting of a JSON value. Many parsers stop at a thousand levels, and some have no more stack than that. */
  jsonDepth: 1_000,
  /** Members of the outermost object of a frame. */
  frameMembers: 32,
  /** All parts of one catalog. */
  catalogBytes: 8 * 1_048_576,
  serversPerAgent: 64,
  toolsPerServer: 1_024,
  nameChars: 128,
  callIdChars: 128,
  /** Longest human-readable text in an error or status message. */
  textChars: 2_048,
} as const
