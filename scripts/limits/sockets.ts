import {
  DEFAULT_FAILURE_LIMIT,
  SAMPLED_LINES as LINES,
  MAX_CHECKS_WAITING,
  MAX_PIPELINED,
  MAX_WAITING_BLOCKS,
  MAX_WAITING_PER_BLOCK,
} from '@bridgekeeper/bridge/testing'
import { HTTP_LIMITS, MAX_CONNECTIONS, MAX_SOCKETS_PER_ADDRESS } from '@bridgekeeper/standalone/testing'
import type { LimitRow } from './row.ts'
import { count, size, span, within } from './units.ts'

const SLOW_DOWN = '`handshake_rate_exceeded`'

/** Sockets and requests of any client. */
export const SOCKETS: readonly LimitRow[] = [
  ['sockets', count(MAX_SOCKETS_PER_ADDRESS), 'address', 'closed; the idlest of the address goes first'],
  ['sockets', count(MAX_CONNECTIONS), 'node', 'closed; from 95 % on the idlest go first'],
  ['time for the headers of a request', span(HTTP_LIMITS.headersTimeout), 'socket', 'closed'],
  ['time for a whole request', span(HTTP_LIMITS.requestTimeout), 'request', '408, closed'],
  ['headers', size(HTTP_LIMITS.maxHeaderSize), 'request', '431, closed'],
  ['idle keep-alive', span(HTTP_LIMITS.keepAliveTimeout), 'socket', 'closed'],
  ['requests behind an unanswered one', count(MAX_PIPELINED), 'socket', 'closed'],
  [
    'credentials in check',
    `failures left before the block; ${count(MAX_CHECKS_WAITING)} wait`,
    'address',
    SLOW_DOWN,
  ],
  [
    'failures',
    `${count(DEFAULT_FAILURE_LIMIT.failures)} in ${span(DEFAULT_FAILURE_LIMIT.windowMs)}`,
    'address',
    `\`address_blocked\` for ${span(DEFAULT_FAILURE_LIMIT.blockMs)}`,
  ],
  [
    'requests that wait for a check whether a block was lifted',
    `${count(MAX_WAITING_PER_BLOCK)}; ${count(MAX_WAITING_BLOCKS)} blocks`,
    'block; node',
    'the code of the block',
  ],
  [
    'lines of the security log',
    within(LINES),
    'event and user or address',
    'nothing; the next line counts them',
  ],
]
