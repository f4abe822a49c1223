/** Internals that tests and checks outside this package use. Not published. */

export { KEPT_MS, MAX_OUTCOME_BYTES, MAX_OUTCOMES, MAX_PARKED_RUNS, PARKED_MS } from './eras/rounds.ts'
export { MAX_ROUNDS } from './eras/rounds-2025.ts'
export { MAX_EVENTS, WINDOW_MS as EVENT_WINDOW_MS } from './event-sampler.ts'
export { MAX_ASKS, MAX_CLIENT_ASKS, MAX_ELSEWHERE, MAX_SESSION_ASKS } from './exchanges/asks.ts'
export {
  MAX_RUNNING as MAX_REQUESTS,
  MAX_RUNNING_BYTES as MAX_REQUESTS_BYTES,
} from './exchanges/running-exchanges.ts'
export {
  MAX_STANDING,
  MAX_STREAMS,
  SESSION_BYTES as MAX_SESSION_STREAM_BYTES,
} from './exchanges/session.ts'
export {
  MAX_ENDED as MAX_ENDED_SESSIONS,
  MAX_SESSION_BYTES as MAX_STORED_BYTES,
  MAX_STORED,
} from './exchanges/session-file.ts'
export { KEPT_BYTES as MAX_ALL_STREAM_BYTES, MAX_SESSIONS } from './exchanges/sessions.ts'
export { MAX_KEPT, MAX_KEPT_BYTES as MAX_STREAM_BYTES } from './exchanges/stream.ts'
export { MAX_SUBSCRIBED_CHARS, MAX_SUBSCRIPTIONS } from './exchanges/subscriptions.ts'
export { MAX_CLIENT_TASKS, MAX_TASKS, TASK_MS } from './exchanges/tasks.ts'
export { MAX_HELD_BYTES } from './held-bytes.ts'
export { catalogFrames } from './link/catalog-frame.ts'
export { MAX_EARLY, MAX_EARLY_BYTES } from './link/early-frames.ts'
export { Link, type LinkOptions } from './link/link.ts'
export { MAX_SENDING_BYTES } from './link/payloads.ts'
export { MAX_ARGUMENT_BYTES, MAX_RUNNING } from './link/running-calls.ts'
export { MAX_QUEUED_BYTES, MAX_QUEUED_FRAMES } from './link/socket.ts'
export { CROWDED, SHARE } from './link/waiting-frames.ts'
export { IDLE_MS, MAX_INSTANCES, MAX_PARKED } from './servers/instance-table.ts'
export { MAX_WAITING, POOL_SIZE } from './servers/lease-pool.ts'
export { MAX_ANSWER_BYTES, MAX_REQUEST_BYTES } from './servers/server-input.ts'
export { RELIST_MS } from './servers/server-life.ts'
export { MAX_LIST_BYTES, MAX_PAGES } from './servers/tools.ts'
export { realSystem } from './system.ts'
