import {
  ASSERTIONS,
  DEVICE_REQUESTS,
  MAX_DEVICE_BODY_BYTES,
  MAX_DEVICES,
  MAX_GOOD_KEYS,
} from '@bridgekeeper/bridge/testing'
import {
  LOGIN_ATTEMPTS as ATTEMPTS,
  CODE_WINDOW_MS,
  LOGINS,
  MAX_HASHES_AT_ONCE as MAX_AT_ONCE,
  MAX_CLIENT_BYTES,
  MAX_FORM_BYTES,
  MAX_HASHES_WAITING,
  MAX_LINKS,
  MAX_OLD_KEYS,
  MAX_PASSKEYS,
  MAX_RECORD_BYTES,
  MAX_SESSIONS,
  MOST_RECORDS as MOST,
  MOST_REFRESH_TOKENS,
  NEW_USERS,
  OAUTH_LIMITS as OAUTH,
  RENEWALS,
  UNUSED_CLIENT_MS,
  WRONG_CODES,
} from '@bridgekeeper/standalone/testing'
import type { LimitRow } from './row.ts'
import { count, size, span, within } from './units.ts'

const SLOW_DOWN = '`handshake_rate_exceeded`'
const LIMITED = '`login_limited`'

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
