/**
 * WebSocket close codes (RFC 6455 section 7.4). 4000-4499: connect again; 4500-4999: connecting
 * again will not help. 1008 is what v1 peers know for a refusal.
 */
export const closeCodes = {
  goingAway: 1001,
  policyViolation: 1008,
  internalError: 1011,
  messagesInvalid: 4400,
  challengeTimeout: 4408,
  tokenExpired: 4401,
  replaced: 4509,
  loginRevoked: 4510,
} as const

/** Whether an agent should connect again after this close code. */
export function mayReconnect(closeCode: number): boolean {
  return closeCode !== closeCodes.policyViolation && !(closeCode >= 4500 && closeCode <= 4999)
}
