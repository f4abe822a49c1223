import { type Ablation, ALLOW, attack, gate, text } from './ablation.ts'
import { ACCOUNT_ABLATIONS } from './accounts.ts'
import { ADDRESS_ABLATIONS } from './addresses.ts'
import { AGENT_ABLATIONS } from './agent.ts'
import { AGENT_EXCHANGE_ABLATIONS } from './agent-exchanges.ts'
import { AGGREGATE_ABLATIONS } from './aggregate.ts'
import { DEVICE_ABLATIONS } from './devices.ts'
import { ERA_ABLATIONS } from './eras.ts'
import { EXCHANGE_ABLATIONS } from './exchanges.ts'
import { LOAD_ABLATIONS } from './load.ts'
import { OAUTH_ABLATIONS } from './oauth.ts'
import { PAYLOAD_ABLATIONS } from './payloads.ts'
import { PROOF_ABLATIONS } from './proof.ts'
import { SESSION_ABLATIONS } from './sessions.ts'

/** Every gate, in the order in which a request and a call meet them. */
export const ABLATIONS: readonly Ablation[] = [
  ...ADDRESS_ABLATIONS,
  {
    gate: 'connections: handshake rate and caps for an address',
    edits: [gate('bridge/limiters/connection-caps.ts', 'checkAddress', ALLOW)],
    tests: attack('w28-w34-address-blocks-and-caps'),
  },
  {
    gate: 'connections: a place for each address, user and in all',
    edits: [gate('bridge/limiters/connection-caps.ts', 'take', 'return allow(undefined)')],
    tests: attack('w28-w34-address-blocks-and-caps'),
  },
  {
    gate: 'layer 1: secure transport',
    edits: [gate('bridge/gates/front-door.ts', 'isSecureConnection', 'return true')],
    tests: attack('w19-transport'),
  },
  {
    gate: 'tokens: each for its own resource',
    edits: [gate('bridge/gates/resource.ts', 'resourceGate', ALLOW)],
    tests: ['test/oauth/resource-server.test.ts'],
  },
  {
    gate: 'tokens: a bound one needs a proof by its key',
    edits: [gate('bridge/gates/dpop.ts', 'dpopGate', ALLOW)],
    tests: attack('dpop'),
  },
  {
    gate: 'tokens: a bound one is no bearer token',
    edits: [
      text(
        'bridge/admission/authentication.ts',
        "if (!isDpop) return deny('dpop_proof_invalid', 'The token is bound to a key.')",
        'if (!isDpop) return here',
      ),
    ],
    tests: attack('dpop'),
  },
  {
    gate: 'tokens: a proof counts once',
    edits: [gate('bridge/limiters/proof-replays.ts', 'take', 'return true')],
    tests: attack('dpop'),
  },
  {
    gate: 'origin and host',
    edits: [gate('bridge/gates/front-door.ts', 'originGate', ALLOW)],
    tests: attack('w16-browsers'),
  },
  {
    gate: 'layer 2: one token, in its place',
    edits: [
      gate(
        'bridge/gates/credential.ts',
        'credentialGate',
        "return allow(cookieValues(sources.cookie, cookieName)[0] ?? AUTHORIZATION.exec(sources.authorization[0] ?? '')?.[1] ?? '')",
      ),
    ],
    tests: attack('w12-w17-one-token'),
  },
  {
    gate: 'embedding: what the app says is an identity',
    edits: [
      text(
        'bridge/tokens/app-identity.ts',
        "if (!ids.every((id) => typeof id === 'string' && id !== ''))",
        'if (ids.length === 0)',
      ),
    ],
    tests: attack('embedding'),
  },
  {
    gate: "embedding: the app's own listeners see nothing of the bridge's",
    edits: [gate('bridge/attach.ts', 'takeLater', 'return')],
    tests: attack('embedding'),
  },
  {
    gate: 'layer 2: the token is verified',
    edits: [
      gate(
        'bridge/tokens/jwt.ts',
        'verifyJwt',
        "try { return allow(JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())) } catch { return deny('token_invalid') }",
      ),
    ],
    tests: attack('w10-token-confusion', 'w11-jwt-forgeries'),
  },
  {
    gate: 'layer 2: token version and state of the user',
    edits: [
      text('bridge/tokens/tokens.ts', 'if (user.tokenVersion !== tv)', 'if (false)'),
      text('bridge/tokens/tokens.ts', "if (user.state !== 'active')", 'if (false)'),
    ],
    tests: attack('w09-session-end'),
  },
  {
    gate: 'revocation: an agent that is connected',
    edits: [text('bridge/southbound/open-agent.ts', '    this.connection.revoke()\n', '')],
    tests: attack('w09-revocation', 'w09-session-end'),
  },
  {
    gate: 'revocation: a request in flight, and its result',
    edits: [gate('bridge/northbound/open-request.ts', 'revoked', 'return')],
    tests: attack('w09-revocation', 'w09-session-end'),
  },
  {
    gate: 'revocation: what is recalled',
    edits: [
      text('bridge/admission/revoker.ts', 'this.#authenticator.forget?.(revocation)', ''),
      text('bridge/admission/open-logins.ts', 'return known.isRevoked ? undefined : known', 'return known'),
    ],
    tests: attack('w09-revocation'),
  },
  {
    gate: 'revocation: while being admitted, and afterwards',
    edits: [gate('bridge/admission/open-logins.ts', 'isRevoked', 'return false')],
    tests: attack('w09-revocation'),
  },
  {
    gate: 'revocation: a node that cannot see it lets nobody in',
    edits: [text('bridge/admission/revoker.ts', 'this.#store.behindMs() > MAX_BEHIND_MS', 'false')],
    tests: attack('w09-revocation'),
  },
  {
    gate: 'layer 3: fingerprint',
    edits: [gate('bridge/gates/fingerprint.ts', 'fingerprintGate', "return allow('same')")],
    tests: attack('w18-w38-client-address'),
  },
  {
    gate: 'layer 3: the fingerprint tells places apart',
    edits: [gate('bridge/gates/fingerprint.ts', 'getConnectionFingerprint', "return '0'.repeat(64)")],
    tests: attack('w18-w38-client-address'),
  },
  {
    gate: 'layer 4: lockout over connections',
    edits: [gate('bridge/limiters/lockout.ts', 'check', ALLOW)],
    tests: attack('w04-challenge-lockout'),
  },
  {
    gate: 'layer 4: the answer is compared',
    edits: [gate('bridge/gates/challenge.ts', 'verifyChallengeResponse', 'return true')],
    tests: attack('w01-w02-echo-check'),
  },
  {
    gate: 'layer 4: a deadline',
    edits: [
      text(
        'bridge/connection/state.ts',
        "case 'challenge-timeout':\n",
        "case 'challenge-timeout':\n      return [current, NOTHING]\n",
      ),
    ],
    tests: attack('w05-w06-unverified'),
  },
  {
    gate: 'layer 4: nothing before it',
    edits: [
      gate(
        'bridge/connection/state.ts',
        'unverified',
        "return [{ state: 'ready', renewal: undefined, strikesAtMs: [] }, [{ type: 'verified' }]]",
      ),
    ],
    tests: attack('w05-w06-unverified'),
  },
  ...LOAD_ABLATIONS,
  ...PROOF_ABLATIONS,
  ...SESSION_ABLATIONS,
  {
    gate: 'layer 5: message size',
    edits: [gate('bridge/gates/agent-socket.ts', 'validateMessageSize', 'return allow(sizeBytes)')],
    tests: attack('w27-memory'),
  },
  {
    gate: 'layer 5: bytes before verification',
    edits: [
      text('bridge/southbound/open-agent.ts', 'if (leftBytes < 0) webSocket.terminate()', ''),
      text('bridge/connection/state.ts', 'if (bytesLeft < 0)', 'if (false)'),
    ],
    tests: attack('w27-memory'),
  },
  {
    gate: 'layer 5: hard cap on frames and fragments',
    edits: [
      text('bridge/southbound/web-sockets.ts', 'maxPayload: maxFrameBytes,', 'maxPayload: 0,'),
      text('bridge/southbound/web-sockets.ts', 'maxFragments: MAX_FRAGMENTS,', ''),
    ],
    tests: attack('w27-memory'),
  },
  {
    gate: 'layer 5: JSON depth',
    edits: [
      {
        file: 'packages/protocol/src/codec.ts',
        find: 'if (!isJson(head, limits.jsonDepth))',
        replace: 'if (!isJson(head))',
      },
    ],
    tests: attack('w32-json-bombs'),
  },
  {
    gate: 'layer 5: keys that reach a prototype',
    edits: [{ file: 'packages/protocol/src/json-spans.ts', find: '|| PROTOTYPE_KEYS.has(key)', replace: '' }],
    tests: attack('w32-json-bombs'),
  },
  {
    gate: 'layer 5: compression is never negotiated',
    edits: [text('bridge/southbound/web-sockets.ts', 'perMessageDeflate: false', 'perMessageDeflate: true')],
    tests: attack('w31-compression'),
  },
  {
    gate: 'layer 6: rate limit',
    edits: [gate('bridge/limiters/rate-limit.ts', 'checkToolExecutionRateLimit', 'return ALLOWED')],
    tests: attack('w21-w22-rate-limit'),
  },
  {
    gate: 'layer 6: the block outlives a connection and a restart',
    edits: [gate('bridge/admission/durable-blocks.ts', 'save', 'return')],
    tests: attack('w21-w22-rate-limit'),
  },
  {
    gate: 'layer 7: events are recorded',
    edits: [gate('bridge/security-log/line.ts', 'lineBody', 'return undefined')],
    tests: ['packages/bridge/test/security-log.lines.test.ts'],
  },
  {
    gate: 'layer 7: secrets and control characters',
    edits: [gate('bridge/security-log/redact.ts', 'jsonText', "return '\"' + value + '\"'")],
    tests: ['packages/bridge/test/security-log.lines.test.ts'],
  },
  {
    gate: 'layer 7: on record before the answer',
    edits: [
      text('bridge/router/dispatcher.ts', 'this.#log.afterWritten(() => settle(outcome))', 'settle(outcome)'),
      text(
        'bridge/router/gated-exchange.ts',
        'this.#record.afterWritten(() => this.#deliver(end))',
        'this.#deliver(end)',
      ),
      text(
        'bridge/northbound/endpoint.ts',
        'this.#log.afterWritten(() => sendRefusal(response, admitted, authenticate))',
        'sendRefusal(response, admitted, authenticate)',
      ),
    ],
    tests: attack('w37-fail-closed'),
  },
  {
    gate: 'layer 7: no call while the log fails',
    edits: [
      text(
        'bridge/router/call-gates.ts',
        "if (!this.#log.writable) return new BridgeError('log_unavailable')",
        '',
      ),
    ],
    tests: attack('w37-fail-closed'),
  },
  {
    gate: 'messages: out of order once too often',
    edits: [text('bridge/connection/life.ts', 'recent.length >= limits.strikes', 'false')],
    tests: attack('w33-amplification'),
  },
  {
    gate: 'call authority: running tools',
    edits: [gate('bridge/gates/call-authority.ts', 'callAuthorityGate', ALLOW)],
    tests: attack('w24-scopes'),
  },
  {
    gate: 'call authority: subscriptions to resources',
    edits: [gate('bridge/gates/call-authority.ts', 'judgedMethod', 'return method')],
    tests: ['packages/bridge/test/gates/exchange-authority.test.ts'],
  },
  {
    gate: 'call authority: lists',
    edits: [gate('bridge/gates/call-authority.ts', 'mayList', 'return true')],
    tests: attack('w24-scopes'),
  },
  {
    gate: 'call authority: connecting as an agent',
    edits: [gate('bridge/gates/call-authority.ts', 'connectAuthorityGate', ALLOW)],
    tests: attack('w24-scopes'),
  },
  {
    gate: 'calls: an answer counts from the asked connection, once',
    edits: [text('bridge/collections/slot-table.ts', 'item?.id === id ? item : undefined', 'item')],
    tests: attack('w20-result-binding'),
  },
  {
    gate: 'calls: so many wait for one agent',
    edits: [text('bridge/connection/agent-calls.ts', 'this.#pending.size >= this.#maxPending', 'false')],
    tests: attack('w26-waiting-calls'),
  },
  ...AGGREGATE_ABLATIONS,
  ...EXCHANGE_ABLATIONS,
  ...AGENT_EXCHANGE_ABLATIONS,
  ...PAYLOAD_ABLATIONS,
  {
    gate: 'routing: the end of a connection takes out no other',
    edits: [
      text(
        'bridge/directory/directory.ts',
        'this.#awake.remove(machine.principal.userId, machine)',
        'for (const other of this.#awake.get(machine.principal.userId)) this.#awake.remove(machine.principal.userId, other)',
      ),
    ],
    tests: ['test/bridge/calls.test.ts'],
  },
  {
    gate: 'routing: only the same login is replaced',
    edits: [
      text(
        'bridge/directory/directory.ts',
        'if (other.principal.sessionId === sessionId) other.connection.replace()',
        'other.connection.replace()',
      ),
    ],
    tests: attack('w07-w25-takeover'),
  },
  {
    gate: 'liveness: dead agents',
    edits: [gate('bridge/gates/agent-socket.ts', 'isUnresponsive', 'return false')],
    tests: attack('w30-dead-and-slow-agents'),
  },
  {
    gate: 'liveness: slow readers',
    edits: [gate('bridge/gates/agent-socket.ts', 'readerState', "return 'reading'")],
    tests: attack('w30-dead-and-slow-agents'),
  },
  ...OAUTH_ABLATIONS,
  ...DEVICE_ABLATIONS,
  ...ACCOUNT_ABLATIONS,
  ...AGENT_ABLATIONS,
  ...ERA_ABLATIONS,
]
