import { type Ablation, attack, gate, text } from './ablation.ts'

/** The client of a request, and the blocks of its address. */
export const ADDRESS_ABLATIONS: readonly Ablation[] = [
  {
    gate: 'address: X-Forwarded-For from trusted proxies only',
    edits: [
      text(
        'bridge/gates/request-facts.ts',
        'this.#any && this.has(remoteAddress)',
        'forwardedFor.length > 0',
      ),
    ],
    tests: attack('w18-w38-client-address'),
  },
  {
    gate: 'address: blocked after failures',
    edits: [gate('bridge/admission/address-guard.ts', 'check', 'return { allowed: true, value: undefined }')],
    tests: attack('w28-w34-address-blocks-and-caps'),
  },
  {
    gate: 'address: the outermost of trusted hops is the client',
    edits: [
      text(
        'bridge/gates/request-facts.ts',
        '    return describe(nearest)\n',
        '    return { ...describe(nearest), isProxy: true }\n',
      ),
    ],
    tests: attack('w28-w34-address-blocks-and-caps'),
  },
  {
    gate: 'address: a genuine token is no guess',
    edits: [text('bridge/gates/verdict.ts', ' && isGenuine !== true', '')],
    tests: attack('ended-logins'),
  },
  {
    gate: 'address: a token of an ended login is no guess',
    edits: [
      text(
        'bridge/tokens/tokens.ts',
        "return deny('login_revoked')\n    if (user.state",
        "return deny('token_invalid')\n    if (user.state",
      ),
    ],
    tests: attack('ended-logins'),
  },
  {
    gate: 'address: a cookie is no guess',
    edits: [
      text(
        'bridge/admission/authentication.ts',
        'isGuess(principal) && isSentInHeader(facts)',
        'isGuess(principal)',
      ),
    ],
    tests: attack('planted-cookies'),
  },
  {
    gate: "address: a browser's upgrade without a token is no failure",
    edits: [gate('bridge/admission/admission.ts', 'isProgram', 'return true')],
    tests: attack('planted-cookies'),
  },
  {
    gate: 'sockets: so many of one address',
    edits: [text('standalone/http/open-sockets.ts', 'own.size >= this.#perAddress', 'false')],
    tests: attack('idle-sockets'),
  },
  {
    gate: 'sockets: those of a trusted proxy aside',
    edits: [text('standalone/http/open-sockets.ts', '!address.isProxy && ', '')],
    tests: attack('idle-sockets'),
  },
  {
    gate: 'sockets: none in use is closed for a newcomer',
    edits: [
      text('standalone/http/open-sockets.ts', 'open.inUse === 0 && (found', '(found'),
      text('standalone/http/open-sockets.ts', 'if (open.inUse === 0) return open', 'return open'),
    ],
    tests: attack('idle-sockets'),
  },
  {
    gate: 'sockets: idle ones are closed when the node is nearly full',
    edits: [text('standalone/http/open-sockets.ts', 'this.#all.size > this.#nearlyFull', 'false')],
    tests: attack('idle-sockets'),
  },
  {
    gate: 'sockets: requests over TLS are told from idle sockets',
    edits: [gate('standalone/http/open-sockets.ts', '#secured', 'return')],
    tests: attack('idle-sockets'),
  },
]
