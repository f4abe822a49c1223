import { type CodeEntry, entry, INVALID_REQUEST } from './entry.ts'

/** Refusals of requests, pages and connections, before any call. */
export const admissionCodes = {
  // Credentials
  token_missing: entry(401, -32050, 'No token was sent.', 'Send it as "Authorization: Bearer <token>".'),
  token_ambiguous: entry(
    400,
    -32050,
    'More than one token was sent.',
    'Send one Authorization header or one accessToken cookie, not both and not twice.',
  ),
  token_in_url: entry(
    400,
    -32050,
    'A token in the URL is refused: URLs end up in logs.',
    'Send it as "Authorization: Bearer <token>", and replace this token: it may have been recorded.',
  ),
  token_invalid: entry(
    401,
    -32050,
    'The token is not valid here.',
    'Get a new token from the app that embeds the bridge, or: bridgekeeper token issue EMAIL',
  ),
  token_expired: entry(
    401,
    -32050,
    'The token has expired.',
    'Get a new token from the app that embeds the bridge, or: bridgekeeper token issue EMAIL',
  ),
  user_unknown: entry(
    401,
    -32050,
    "The token's user does not exist here.",
    'Add the user, then issue a token: bridgekeeper user add EMAIL',
  ),

  login_revoked: entry(
    401,
    -32050,
    'This login has ended: its user was logged out, suspended or deleted, or its session or device was revoked.',
    'Log in again; on an enrolled machine: bridgekeeper connect URL --enrol-again',
  ),
  dpop_proof_invalid: entry(
    401,
    -32050,
    'The DPoP proof of the token is missing or invalid.',
    'Send the token as "Authorization: DPoP <token>", and a fresh proof signed by its key in the DPoP header.',
  ),
  user_suspended: entry(403, -32050, 'The user is suspended.', 'Ask the operator of the bridge.'),
  scope_insufficient: entry(
    403,
    -32069,
    'The scopes of the token do not allow this.',
    'Use a token that has the named scope.',
  ),
  fingerprint_changed: entry(
    403,
    -32050,
    'This login was first used from another address or program.',
    'Log in again on this machine with a new token from the app that embeds the bridge, or: bridgekeeper token issue EMAIL',
  ),

  // Devices
  device_unknown: entry(
    401,
    -32050,
    'The device or its key is not enrolled on this bridge, or was revoked.',
    'Enrol this machine again: bridgekeeper connect URL --enrol-again',
  ),
  assertion_invalid: entry(
    401,
    -32050,
    'The assertion of the device is for another bridge, or was used before.',
    'Connect to the public URL of the bridge, with a current version of the agent.',
  ),
  clock_wrong: entry(
    401,
    -32050,
    'The assertion of the device is too old, or dated in the future.',
    'Correct the clock of that machine.',
  ),
  device_key_invalid: entry(
    400,
    INVALID_REQUEST,
    'The device key is not accepted.',
    'Send an Ed25519 or P-256 public key as a JWK, and a proof signed by its private key.',
  ),
  device_key_mismatch: entry(
    403,
    -32050,
    'The key differs from the approved one.',
    'Start again on the machine: bridgekeeper connect URL',
  ),
  device_key_known: entry(
    409,
    -32050,
    'The key already belongs to a device, belonged to one, or was rotated by a concurrent request.',
    'Create a new key: bridgekeeper connect URL --enrol-again',
  ),
  device_generation_wrong: entry(
    409,
    -32050,
    'Only the current key of a device may enrol the next one.',
    'Use the current key: bridgekeeper device rotate',
  ),
  device_name_invalid: entry(
    400,
    INVALID_REQUEST,
    'The device name is missing, too long or has no visible characters.',
    'Give one: bridgekeeper connect URL --device-name NAME',
  ),
  too_many_devices: entry(
    403,
    -32050,
    'This user has reached the maximum number of devices.',
    'Revoke an unused device at /account.',
  ),
  device_key_copied: entry(
    403,
    -32050,
    "The device's key was used by two machines, so the device is revoked.",
    'Find out how the key was copied, then enrol this machine again: bridgekeeper connect URL --enrol-again',
  ),
  proof_required: entry(
    403,
    -32052,
    'This login requires proof of a device key.',
    'Enrol this machine, without BRIDGEKEEPER_TOKEN and --token: bridgekeeper connect URL (an operator can admit agents without keys: --allow-v1, in an app allowV1)',
  ),
  proof_failed: entry(
    403,
    -32052,
    'The proof of the device key is invalid.',
    'Connect to the public URL of the bridge (--public-url); only a proxy of its operator may terminate TLS on the way.',
  ),

  // Transport, address and origin
  transport_insecure: entry(
    403,
    -32071,
    'This bridge accepts only encrypted connections.',
    'Use https:// or wss://.',
  ),
  host_forbidden: entry(
    403,
    -32071,
    'The Host header is not an address of this bridge.',
    'Use a public URL of the bridge; its operator lists them with --public-url.',
  ),
  origin_forbidden: entry(
    403,
    -32071,
    'Pages of this origin may not use this bridge.',
    'Its operator lists origins with --allow-origin.',
  ),
  address_blocked: entry(
    403,
    -32072,
    'This address failed too often and is blocked for a while.',
    'Wait, or ask the operator: bridgekeeper block list',
  ),
  too_many_connections: entry(
    429,
    -32072,
    'Too many connections are open.',
    'Close some, then connect again.',
  ),
  handshake_rate_exceeded: entry(
    429,
    -32072,
    'This address connects too often.',
    'Wait a moment between attempts.',
  ),

  // Pages
  form_invalid: entry(
    400,
    INVALID_REQUEST,
    'The form cannot be read.',
    'Load the page again, then send its form unchanged.',
  ),
  form_stale: entry(
    403,
    INVALID_REQUEST,
    'The form is too old, or no page of this bridge sent it.',
    'Load the page again, then send the form once more.',
  ),
  confirmation_failed: entry(
    403,
    INVALID_REQUEST,
    'The password is wrong.',
    'Enter your current password, or log in with a passkey first.',
  ),
  passkey_refused: entry(
    403,
    -32050,
    'The passkey was not accepted.',
    'Load the page again and try once more, or log in another way.',
  ),
  provider_unavailable: entry(
    502,
    -32050,
    'The login provider cannot be reached.',
    'Try again in a moment, or log in another way.',
  ),
  provider_refused: entry(403, -32050, 'The provider did not log you in.', 'Begin again at /login.'),
  provider_user_unknown: entry(
    403,
    -32050,
    'No account on this bridge is linked to your account at the provider.',
    'Log in another way and link it on your account page, or ask the operator of this bridge.',
  ),
  login_required: entry(401, -32050, 'You are not logged in.', 'Log in at /login.'),
  login_limited: entry(
    429,
    -32050,
    'Too many logins in too short a time.',
    'Wait as long as Retry-After says, then try again.',
  ),

  // HTTP
  not_found: entry(
    404,
    INVALID_REQUEST,
    'There is nothing at this path.',
    'MCP is at /mcp and /mcp/{server}.',
  ),
  method_not_allowed: entry(405, INVALID_REQUEST, 'This path does not support this method.', 'Use POST.'),
  upgrade_required: entry(
    426,
    INVALID_REQUEST,
    'This path accepts only WebSocket connections.',
    'Connect with a WebSocket client: bridgekeeper connect URL',
  ),
  batch_too_large: entry(413, INVALID_REQUEST, 'The batch holds too many messages.', 'Send at most 32.'),
  too_many_requests: entry(
    429,
    -32074,
    'Too many requests are open, or too many answers are unread.',
    'Read the pending answers, then try again.',
  ),
  body_too_large: entry(413, INVALID_REQUEST, 'The request body is too large.', 'Send at most 1 MiB.'),
  shutting_down: entry(503, -32051, 'The bridge is shutting down.', 'Try again in a few seconds.'),
} as const satisfies Record<string, CodeEntry>
