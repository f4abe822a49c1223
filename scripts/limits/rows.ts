import {
  EVENT_WINDOW_MS,
  MAX_ANSWER_BYTES,
  MAX_ARGUMENT_BYTES,
  MAX_EARLY_BYTES,
  MAX_EVENTS,
  MAX_EARLY as MAX_HELD,
  MAX_LIST_BYTES,
  MAX_PAGES,
  MAX_QUEUED_BYTES,
  MAX_QUEUED_FRAMES,
  MAX_REQUEST_BYTES,
  MAX_RUNNING,
  RELIST_MS,
} from '@bridgekeeper/agent/testing'
import {
  ASSERTIONS,
  DEFAULT_CONNECTION_LIMITS,
  DEFAULT_FAILURE_LIMIT,
  DEFAULT_MAX_PENDING_CALLS,
  DEFAULT_RATE_LIMIT,
  DEVICE_REQUESTS,
  FIRST_LOCK_MS,
  FRAME_ALLOWANCE,
  SAMPLED_LINES as LINES,
  LOCK_ATTEMPTS,
  LOCK_WINDOW_MS,
  LONGEST_LOCK_MS,
  MAX_ABANDONED_CALLS,
  MAX_BATCH,
  MAX_CHECKS_WAITING,
  MAX_DEVICE_BODY_BYTES,
  MAX_DEVICES,
  MAX_FRAGMENTS,
  MAX_GOOD_KEYS,
  MAX_HELD_BYTES,
  MAX_OPEN_REQUESTS,
  MAX_OPEN_STREAMS,
  MAX_PIPELINED,
  MAX_PROOFS_OF_USER,
  MAX_UNREAD_BYTES,
  MAX_VIEWS,
  MAX_WAITING_BLOCKS,
  MAX_WAITING_PER_BLOCK,
  MESSAGE_ALLOWANCE,
  SLOW_BYTES,
  SLOW_MS,
  UNREAD_MS,
} from '@bridgekeeper/bridge/testing'
import { limits } from '@bridgekeeper/protocol'
import {
  LOGIN_ATTEMPTS as ATTEMPTS,
  CODE_WINDOW_MS,
  HTTP_LIMITS,
  LOGINS,
  MAX_HASHES_AT_ONCE as MAX_AT_ONCE,
  MAX_CLIENT_BYTES,
  MAX_CONNECTIONS,
  MAX_FORM_BYTES,
  MAX_HASHES_WAITING,
  MAX_LINKS,
  MAX_OLD_KEYS,
  MAX_PASSKEYS,
  MAX_RECORD_BYTES,
  MAX_SESSIONS,
  MAX_SOCKETS_PER_ADDRESS,
  MOST_RECORDS as MOST,
  MOST_REFRESH_TOKENS,
  NEW_USERS,
  OAUTH_LIMITS as OAUTH,
  RENEWALS,
  UNUSED_CLIENT_MS,
  WRONG_CODES,
} from '@bridgekeeper/standalone/testing'
import { MAX_OUTPUT_WAITING_BYTES as MAX_WAITING_BYTES } from 'bridgekeeper/testing'
import { allowance, count, size, span, within } from './units.ts'

/** A bounded resource, its bound, per what, and the effect on a peer that exceeds it. */
export type LimitRow = readonly [resource: string, bound: string, per: string, effect: string]

const { inAll, perAddress, perUser, handshakes, handshakeWindowMs } = DEFAULT_CONNECTION_LIMITS
const SLOW_DOWN = '`handshake_rate_exceeded`'
const LIMITED = '`login_limited`'

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

/** `/mcp` and calls. */
export const CALLS: readonly LimitRow[] = [
  [
    'calls',
    `${count(DEFAULT_RATE_LIMIT.maxCalls)} in ${span(DEFAULT_RATE_LIMIT.windowMs)}`,
    'user',
    `\`rate_limit_exceeded\` for ${span(DEFAULT_RATE_LIMIT.blockMs)}`,
  ],
  [
    'other messages',
    `${allowance(MESSAGE_ALLOWANCE)}; one for each ${size(MESSAGE_ALLOWANCE.bytesPerUnit)}`,
    'user',
    '`rate_limit_exceeded`, with the seconds to wait',
  ],
  ['messages of a batch', count(MAX_BATCH), 'request', '`batch_too_large`'],
  ['open requests', count(MAX_OPEN_REQUESTS), 'user', '`too_many_requests`'],
  ['bodies and unread answers', size(MAX_HELD_BYTES), 'user', '`too_many_requests`'],
  ['unread answers', size(MAX_UNREAD_BYTES), 'user', 'the answer is cut off'],
  ['time without reading of an answer', span(UNREAD_MS), 'request', 'closed'],
  ['body', size(limits.messageBytes), 'request', '`body_too_large`'],
  ['calls in flight', count(DEFAULT_MAX_PENDING_CALLS), 'connection', '`too_many_calls`'],
  ['other requests in flight', count(DEFAULT_MAX_PENDING_CALLS), 'connection', '`too_many_calls`'],
  ['streams and notes in flight', count(MAX_OPEN_STREAMS), 'connection', '`too_many_calls`'],
  [
    'ids of cancelled and timed-out calls',
    count(MAX_ABANDONED_CALLS),
    'connection',
    'a later answer is logged',
  ],
  ['serialised lists', count(MAX_VIEWS), 'catalog', 'nothing: the oldest is serialised again'],
  ['DPoP proofs that are remembered', count(MAX_PROOFS_OF_USER), 'user', '`dpop_proof_invalid`'],
]

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

/** Accounts, apps and machines. */
export const ACCOUNTS: readonly LimitRow[] = [
  ['passwords', within(ATTEMPTS.password.here), 'account and address', LIMITED],
  ['passwords', within(ATTEMPTS.password.anywhere), 'account', LIMITED],
  ['codes', within(ATTEMPTS.code.here), 'account and address', LIMITED],
  ['codes', within(ATTEMPTS.code.anywhere), 'account', LIMITED],
  ['logins', within(LOGINS), 'user and address', LIMITED],
  ['first logins by a provider', within(NEW_USERS), 'address', LIMITED],
  [
    'passwords hashed at once',
    `${count(MAX_AT_ONCE)}; ${count(MAX_HASHES_WAITING)} wait, addresses in turn`,
    'node',
    '`login_limited`',
  ],
  ['form', size(MAX_FORM_BYTES), 'request', '`body_too_large`'],
  ['browser logins', count(MAX_SESSIONS), 'user', 'the one unused for longest ends'],
  ['connected apps', count(MAX_SESSIONS), 'user', 'the one unused for longest ends'],
  ['renewals', within(RENEWALS), 'login', '`rate_limit_exceeded`'],
  ['passkeys', count(MAX_PASSKEYS), 'user', '`passkey_refused`'],
  ['linked provider accounts', count(MAX_LINKS), 'user', 'refused on the page'],
  ['machines', count(MAX_DEVICES), 'user', '`too_many_devices`'],
  ['valid keys', count(MAX_GOOD_KEYS), 'machine', '`rate_limit_exceeded`'],
  [
    'retired and revoked keys that are remembered',
    count(MAX_OLD_KEYS),
    'user',
    'nothing: the oldest is forgotten',
  ],
  ['tokens of a machine', within(ASSERTIONS), 'machine', '`rate_limit_exceeded`'],
  ['requests of machines', within(DEVICE_REQUESTS), 'address', SLOW_DOWN],
  ['request of a machine', size(MAX_DEVICE_BODY_BYTES), 'request', '`body_too_large`'],
  ['requests to the authorization server', within(OAUTH.request), 'address', SLOW_DOWN],
  ['requests for access', within(OAUTH.begin), 'address', SLOW_DOWN],
  ['device codes', within(OAUTH.device), 'address', SLOW_DOWN],
  [
    'registrations',
    `${within(OAUTH.registration)}, ${within(OAUTH.registrationOfDay)}`,
    'address',
    SLOW_DOWN,
  ],
  ['metadata documents fetched', within(OAUTH.metadata), 'address', SLOW_DOWN],
  ['user codes', `${count(WRONG_CODES)} wrong in ${span(CODE_WINDOW_MS)}`, 'user; address', SLOW_DOWN],
  ['metadata of an app', size(MAX_CLIENT_BYTES), 'registration', '`invalid_client_metadata`'],
  [
    'registered apps',
    `${count(MOST.Client)}; ${span(UNUSED_CLIENT_MS)} without an approval`,
    'node',
    'those that expire soonest are forgotten',
  ],
  [
    'requests for access, device codes, login steps',
    count(MOST.Interaction),
    'node, each',
    'those that expire soonest are forgotten',
  ],
  ['record', size(MAX_RECORD_BYTES), 'request', '`invalid_request`'],
  ['refresh tokens', count(MOST_REFRESH_TOKENS), 'app', 'the oldest used one is forgotten'],
]

/** The agent, on the user's machine. */
export const MACHINE: readonly LimitRow[] = [
  ['calls queued for a local server', size(MAX_REQUEST_BYTES), 'server', '`too_many_calls`'],
  ['unread answers to its requests', size(MAX_ANSWER_BYTES), 'server', 'ended, and started again'],
  ['lists of tools', `one in ${span(RELIST_MS)}`, 'server', 'nothing: the latest change is listed'],
  [
    'list of tools',
    `${count(MAX_PAGES)} pages, ${size(MAX_LIST_BYTES)}`,
    'list',
    'the list is not used; the user reads why',
  ],
  [
    'running calls',
    `${count(MAX_RUNNING)}, ${size(MAX_ARGUMENT_BYTES)} of arguments`,
    'connection',
    '`too_many_calls`',
  ],
  [
    'unread frames',
    `${count(MAX_QUEUED_FRAMES)}, ${size(MAX_QUEUED_BYTES)}`,
    'connection',
    'closed, and dialled again',
  ],
  [
    'frames before the connection is recorded',
    `${count(MAX_HELD)}, ${size(MAX_EARLY_BYTES)}`,
    'connection',
    'closed, and dialled again',
  ],
  [
    'printed events',
    within({ max: MAX_EVENTS, windowMs: EVENT_WINDOW_MS }),
    'kind and server',
    'the user reads how many were left out',
  ],
  ['output that nobody reads', size(MAX_WAITING_BYTES), 'process', 'dropped and counted'],
]
