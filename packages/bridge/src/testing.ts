/** Internals that tests and checks outside this package use. Not published. */
export { DEFAULT_FAILURE_LIMIT, MAX_WAITING as MAX_CHECKS_WAITING } from './admission/address-guard.ts'
export { MAX_WAITING_BLOCKS, MAX_WAITING_PER_BLOCK } from './admission/lift-checks.ts'
export { MAX_PIPELINED } from './attach.ts'
export { DEFAULT_MAX_BODY_BYTES, DEFAULT_MAX_PENDING_CALLS } from './bridge-options.ts'
export { MAX_ABANDONED_CALLS } from './connection/agent-calls.ts'
export { ASSERTIONS, MAX_DEVICES, MAX_GOOD_KEYS } from './devices/device-registry.ts'
export { MAX_BODY_BYTES as MAX_DEVICE_BODY_BYTES, REQUESTS as DEVICE_REQUESTS } from './devices/endpoint.ts'
export {
  MAX_BYTES as MAX_KNOWN_BYTES,
  MAX_MACHINES as MAX_KNOWN_MACHINES,
  MAX_USER_BYTES as MAX_KNOWN_USER_BYTES,
} from './directory/last-known.ts'
export { MAX_OPEN_STREAMS } from './exchanges/exchange-table.ts'
export {
  MAX_AWAY as MAX_AWAY_MACHINES,
  MAX_CLIENTS as MAX_MACHINE_CLIENTS,
  MAX_ENDED as MAX_MACHINE_ENDS,
} from './exchanges/machine-clients.ts'
export { SLOW_BYTES, SLOW_MS } from './gates/agent-socket.ts'
export {
  type AllowanceLimit,
  FRAME_ALLOWANCE,
  LARGE_ALLOWANCE,
  MESSAGE_ALLOWANCE,
} from './limiters/allowance.ts'
export { DEFAULT_CONNECTION_LIMITS } from './limiters/connection-caps.ts'
export {
  ATTEMPTS as LOCK_ATTEMPTS,
  FIRST_LOCK_MS,
  LONGEST_LOCK_MS,
  WINDOW_MS as LOCK_WINDOW_MS,
} from './limiters/lockout.ts'
export { MAX_PROOFS_OF_USER } from './limiters/proof-replays.ts'
export { DEFAULT_RATE_LIMIT } from './limiters/rate-limit.ts'
export { LINES as SAMPLED_LINES } from './limiters/sampler.ts'
export { SlidingWindow } from './limiters/sliding-window.ts'
export {
  MAX_ALL_LARGE_BYTES,
  MAX_HELD_BYTES,
  MAX_LARGE_BYTES,
  MAX_OPEN_REQUESTS,
  MAX_STANDING,
  MAX_UNREAD_BYTES,
} from './limiters/user-load.ts'
export { GATHER_MS, MAX_ASKED } from './northbound/aggregate/gatherer.ts'
export { MAX_ITEMS } from './northbound/aggregate/list-items.ts'
export {
  MAX_LIST_BYTES as MAX_SERVER_LIST_BYTES,
  MAX_PAGES as MAX_SERVER_PAGES,
} from './northbound/aggregate/lists.ts'
export { MAX_RESOURCES } from './northbound/aggregate/subscribe.ts'
export { MAX_VIEWS } from './northbound/list-cache.ts'
export { MAX_ENDED as MAX_ENDED_SESSIONS } from './northbound/mcp-session.ts'
export { MAX_BATCH } from './northbound/message.ts'
export { HOLD_MS, MAX_POSITIONS, READ_ON_MS } from './northbound/server-streams.ts'
export { UNREAD_MS } from './northbound/slow-callers.ts'
export type { LoginSession, Session } from './ports/sessions.ts'
export type { UserRole } from './ports.ts'
export { MAX_FRAGMENTS } from './southbound/web-sockets.ts'
export { AccessTokens } from './tokens/access-tokens.ts'
export { Recall } from './tokens/recall.ts'
export { seal } from './tokens/sealed.ts'
export { loadSigningKey } from './tokens/signing-key.ts'
