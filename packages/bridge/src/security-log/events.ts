/**
 * Every event of the security log: severity, when it is written, allowed fields. Nothing else is ever
 * written. docs/security-events.md is generated from this table.
 */

export type Severity = 'info' | 'warn' | 'error'

/** Kinds of field values. A value that does not fit is replaced; the rest of the line stays. */
export type FieldKind =
  /** A code or a constant word. */
  | 'code'
  /** An id that the bridge created or verified. */
  | 'id'
  /** A peer's name: cleaned, bounded, scanned for secrets. */
  | 'name'
  /** Text that a peer may have written: cleaned, bounded, scanned for secrets. */
  | 'text'
  /** A keyed hash, in hex. */
  | 'digest'
  | 'count'
  | 'flag'

interface EventEntry {
  readonly severity: Severity
  readonly when: string
  /**
   * Written in this order after `userId` and `ip`, which any event may have. `suppressed` counts similar
   * earlier events that were not written. `counted` means that the event counts towards blocking the address.
   */
  readonly fields: Readonly<Record<string, FieldKind>>
}

export const securityEvents = {
  // The events of the original protocol, by its names
  ws_insecure_connection_rejected: event('error', 'a request came without TLS where it is required', {
    url: 'text',
    suppressed: 'count',
  }),
  ws_authentication_failed: event('warn', 'an agent sent no token, or an invalid one', {
    reason: 'code',
    counted: 'flag',
    suppressed: 'count',
  }),
  ws_connection_established: event('info', 'an agent was admitted; its challenge is pending', {
    fingerprint: 'digest',
  }),
  ws_challenge_verified: event('info', 'an agent answered its challenge', {}),
  ws_challenge_verification_failed: event('warn', 'an answer to a challenge was wrong or late', {
    reason: 'code',
    check: 'code',
  }),
  ws_challenge_failed_no_token: event(
    'error',
    'never logged: the token is verified before the challenge; listed because the requirements name it',
    {},
  ),
  ws_challenge_failed_invalid_token: event('error', 'the token expired while its challenge was open', {}),
  ws_unauthorized_tool_execution_attempt: event('warn', 'a socket asked for a tool before its challenge', {
    toolName: 'name',
  }),
  ws_tool_execution_request: event('info', 'a call passed the gates', {
    serverName: 'name',
    toolName: 'name',
    requestId: 'id',
  }),
  ws_tool_execution_result: event('info', 'a call ended', {
    requestId: 'id',
    success: 'flag',
    reason: 'code',
  }),
  ws_rate_limit_exceeded: event('warn', 'a call was refused by a rate limit', {
    retryAfter: 'count',
    limit: 'code',
    suppressed: 'count',
  }),
  ws_message_too_large: event('warn', 'a message was over its limit', { size: 'count', maxSize: 'count' }),
  ws_unknown_message_type: event('warn', 'a message had an unknown type', { messageType: 'name' }),
  ws_message_parse_error: event('error', 'a message was not JSON, or did not match its schema', {
    error: 'text',
  }),
  ws_connection_closed: event('info', 'the connection of an agent ended', { code: 'count', reason: 'text' }),
  ws_error: event('error', 'a socket failed, or the bridge failed to handle a message', { error: 'text' }),

  // Admission
  ws_connection_refused: event('warn', 'an agent was refused for another reason than its token', {
    reason: 'code',
    suppressed: 'count',
  }),
  connection_dropped: event(
    'warn',
    'a new socket was closed at once: its address or the node has reached its limit of sockets',
    { reason: 'code', suppressed: 'count' },
  ),
  mcp_authentication_failed: event('warn', 'a caller sent no token, or an invalid one', {
    reason: 'code',
    counted: 'flag',
    suppressed: 'count',
  }),
  mcp_request_refused: event('warn', 'a caller was refused for another reason than its token', {
    reason: 'code',
    suppressed: 'count',
  }),
  mcp_slow_caller: event('warn', 'a caller did not read its answer and was disconnected', {
    size: 'count',
    suppressed: 'count',
  }),
  address_blocked: event('warn', 'an address failed too often and is blocked', {
    failures: 'count',
    retryAfter: 'count',
  }),
  challenge_locked: event('warn', 'a user and address are locked out of the challenge', {
    retryAfter: 'count',
  }),
  fingerprint_changed: event('warn', 'a login came from another address or program than before', {
    policy: 'code',
    fingerprint: 'digest',
    previous: 'digest',
  }),

  login_revoked: event(
    'warn',
    'the connections and calls of a revoked user, session or device were closed on this node',
    {
      kind: 'code',
      id: 'id',
      ended: 'count',
    },
  ),
  proof_downgrade_rejected: event(
    'warn',
    "an agent that must prove a device's key did not: it is old, or something on the way downgraded it",
    { version: 'code', suppressed: 'count' },
  ),
  echo_accepted: event(
    'warn',
    "in production, an agent was admitted without proof of a device's key, as allowV1 permits",
    { version: 'code' },
  ),
  proof_renewal_failed: event('warn', 'a device did not renew its proof in time, or sent an invalid token', {
    reason: 'code',
    check: 'code',
  }),
  device_key_copied: event('error', "a device's key was used by two machines, so the device was revoked", {
    deviceId: 'id',
  }),

  // Acts of verified peers
  call_forbidden: event('warn', "a call, or another request, was outside of its token's scopes", {
    serverName: 'name',
    toolName: 'name',
    method: 'name',
    suppressed: 'count',
  }),
  exchange_opened: event('info', 'an exchange other than a call passed the gates', {
    serverName: 'name',
    kind: 'code',
    method: 'name',
    requestId: 'id',
  }),
  exchange_ended: event('info', 'a request other than a call ended', {
    requestId: 'id',
    success: 'flag',
    reason: 'code',
  }),
  ws_unexpected_result: event('warn', 'an answer matched no call of its connection', { requestId: 'id' }),
  ws_connection_replaced: event('info', 'a login connected again; its earlier connection is closed', {}),
  ws_connection_unresponsive: event('warn', 'an agent missed two pings and was disconnected', {}),
  ws_slow_reader: event('warn', 'an agent read its messages too slowly and was paused or disconnected', {
    size: 'count',
  }),

  // Accounts and logins
  login_succeeded: event('info', 'a user logged in', { method: 'code' }),
  login_failed: event('warn', 'a login failed; without a user if the email is unknown', {
    reason: 'code',
    counted: 'flag',
    suppressed: 'count',
  }),
  login_limited: event('warn', 'a login was refused unchecked after too many failures', {
    limit: 'code',
    retryAfter: 'count',
    suppressed: 'count',
  }),
  page_request_refused: event('warn', 'a page was refused for another reason than a login', {
    reason: 'code',
    suppressed: 'count',
  }),
  page_failed: event('error', 'a page failed, for example because the store is unavailable', {
    error: 'text',
  }),
  client_approved: event('info', 'a user allowed an app', { clientId: 'text', scope: 'text' }),
  client_refused: event('info', 'a user refused an app', { clientId: 'text' }),
  client_registered: event('info', 'an app registered itself', { clientId: 'text' }),
  device_approved: event('info', 'a user approved the enrolment of a machine', {}),
  user_code_wrong: event('warn', 'a user entered an unknown device code', {}),
  oauth_request_refused: event('warn', 'the authorization server refused a request', {
    reason: 'code',
    suppressed: 'count',
  }),
  session_started: event('info', 'a session began', { kind: 'code' }),
  session_ended: event('info', 'a session was ended, with all its tokens', {
    kind: 'code',
    reason: 'code',
    by: 'id',
  }),
  refresh_token_reused: event(
    'error',
    'a refresh token was used a second time, so its session was ended',
    {},
  ),
  password_changed: event('warn', 'a password was set', { by: 'id' }),
  second_factor_added: event('info', 'a user switched on codes as a second factor', {}),
  second_factor_removed: event('warn', 'a user switched the second factor off', {}),
  passkey_added: event('info', 'a passkey was added', { name: 'name' }),
  passkey_removed: event('warn', 'a passkey was removed', { name: 'name' }),
  upstream_linked: event('info', "a user's account at a provider was linked", {}),
  upstream_unlinked: event('warn', "a user's account at a provider was unlinked", {}),
  user_role_changed: event('warn', "a user's role was changed", { role: 'code', by: 'id' }),

  // Machines
  device_enrolled: event('warn', 'a machine was enrolled', { deviceId: 'id', name: 'name' }),
  device_key_rotated: event('info', "a machine's key was rotated; the old one stays valid for a day", {
    deviceId: 'id',
    generation: 'count',
  }),
  device_request_refused: event('warn', 'a request to enrol, rotate a key or get a token was refused', {
    reason: 'code',
    suppressed: 'count',
  }),

  // Acts on accounts. `by` is the id of the user who acted, or `operator` for the command line.
  user_added: event('info', 'a user was added', { by: 'id' }),
  user_suspended: event('warn', 'a user was suspended', { by: 'id' }),
  user_resumed: event('info', 'a suspended user was resumed', { by: 'id' }),
  user_logged_out: event('warn', "all of a user's tokens were ended", { by: 'id' }),
  user_deleted: event('warn', 'a user was deleted, with all their data', { by: 'id' }),
  device_revoked: event('warn', 'a machine was revoked; its key is never enrolled again', {
    deviceId: 'id',
    by: 'id',
  }),
  // Omits the session: with a v1 challenge it would nearly be a credential.
  token_issued: event('info', 'a token was issued', { lifetimeSeconds: 'count', by: 'id' }),
  block_added: event('warn', 'an operator blocked something', { kind: 'code', key: 'name', by: 'id' }),
  block_lifted: event('warn', 'an operator lifted a block or reset a limit', {
    kind: 'code',
    key: 'name',
    by: 'id',
  }),

  // The bridge itself
  bridge_started: event('info', 'a bridge started', { version: 'code' }),
  bridge_stopped: event('info', 'a bridge stopped normally', {}),
  tls_reloaded: event('info', 'a new certificate is in use', {}),
  tls_reload_failed: event('error', 'a new certificate could not be used; the old one stays in use', {
    error: 'text',
  }),

  // The log itself
  log_recovered: event('warn', 'the last line of an earlier run was torn and was removed', {
    bytes: 'count',
  }),
  log_tail_missing: event('error', 'lines of an earlier run are missing', { lost: 'count' }),
  log_unproven: event('error', 'lines of an earlier run do not match its anchor', {
    reason: 'code',
  }),
  log_gap: event('error', 'the log could not be written for a while; the counted events are lost', {
    lost: 'count',
    error: 'text',
  }),
} as const satisfies Record<string, EventEntry>

export type EventName = keyof typeof securityEvents

type ValueOf<K extends FieldKind> = K extends 'count' ? number : K extends 'flag' ? boolean : string
type FieldsOf<E extends EventName> = (typeof securityEvents)[E]['fields']

/** An event as recorded. Its fields are exactly those of the table; missing ones are omitted. */
export type SecurityEvent = {
  [E in EventName]: {
    readonly event: E
    readonly userId?: string | undefined
    readonly ip?: string | undefined
  } & {
    readonly [F in keyof FieldsOf<E>]?: FieldsOf<E>[F] extends FieldKind
      ? ValueOf<FieldsOf<E>[F]> | undefined
      : never
  }
}[EventName]

function event<const F extends Readonly<Record<string, FieldKind>>>(
  severity: Severity,
  when: string,
  fields: F,
): { readonly severity: Severity; readonly when: string; readonly fields: F } {
  return { severity, when, fields }
}
