import {
  DEFAULT_CONNECTION_LIMITS,
  FIRST_LOCK_MS,
  FRAME_ALLOWANCE,
  LOCK_ATTEMPTS,
  LOCK_WINDOW_MS,
  LONGEST_LOCK_MS,
  MAX_FRAGMENTS,
  SLOW_BYTES,
  SLOW_MS,
} from '@bridgekeeper/bridge/testing'
import { limits } from '@bridgekeeper/protocol'
import type { LimitRow } from './row.ts'
import { allowance, count, size, span } from './units.ts'

const { inAll, perAddress, perUser, handshakes, handshakeWindowMs } = DEFAULT_CONNECTION_LIMITS
const SLOW_DOWN = '`handshake_rate_exceeded`'

/** Agents, at the bridge. */
export const AGENTS: readonly LimitRow[] = [
  ['connections', count(inAll), 'node', '`too_many_connections`'],
  ['connections', count(perAddress), 'address', '`too_many_connections`'],
  ['connections', count(perUser), 'user', '`too_many_connections`'],
  ['attempts to connect', `${count(handshakes)} in ${span(handshakeWindowMs)}`, 'address', SLOW_DOWN],
  ['bytes before the challenge is answered', size(limits.unverifiedBytes), 'connection', 'disconnected'],
  [
    'attempts at the challenge',
    `${count(limits.challengeAttempts)} within ${span(limits.challengeMs)}`,
    'connection',
    'closed',
  ],
  [
    'wrong answers to challenges',
    `${count(LOCK_ATTEMPTS)} in ${span(LOCK_WINDOW_MS)}`,
    'user and address',
    `\`challenge_locked\` for ${span(FIRST_LOCK_MS)}, doubling to ${span(LONGEST_LOCK_MS)}`,
  ],
  ['message', size(limits.messageBytes), 'frame', '`message_too_large`'],
  ['frame', size(limits.frameBytes), 'frame', 'closed with 1009'],
  ['fragments', count(MAX_FRAGMENTS), 'message', 'closed with 1008'],
  [
    'frames that answer no call',
    `${allowance(FRAME_ALLOWANCE)}; one for each ${size(FRAME_ALLOWANCE.bytesPerUnit)}`,
    'connection',
    'its socket is read more slowly',
  ],
  [
    'malformed messages',
    `${count(limits.strikes)} in ${span(limits.strikeWindowMs)}`,
    'connection',
    'closed with 4400',
  ],
  ['unread frames', `${size(SLOW_BYTES)} for ${span(SLOW_MS)}`, 'connection', 'no calls; then closed'],
  ['unread frames', size(limits.sendBufferBytes), 'connection', 'closed'],
  ['servers', count(limits.serversPerAgent), 'agent', '`message_invalid`'],
  ['tools', count(limits.toolsPerServer), 'server', '`message_invalid`'],
]
