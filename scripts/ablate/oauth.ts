import { type Ablation, attack, gate, text } from './ablation.ts'

/** Protections of the authorization server and its tokens. */
export const OAUTH_ABLATIONS: readonly Ablation[] = [
  {
    gate: 'oauth: a token is for a resource of this bridge',
    edits: [
      text(
        'standalone/oauth/resources.ts',
        'if (!isEnrolment && !isMcpResource(issuer, resource))',
        "if (resource === '')",
      ),
    ],
    tests: attack('oauth-codes'),
  },
  {
    gate: 'oauth: enrolment is for agents, and agents for enrolment',
    edits: [
      text(
        'standalone/oauth/resources.ts',
        'if (isEnrolment !== (clientId === AGENT_CLIENT_ID))',
        "if (resource === '')",
      ),
    ],
    tests: ['test/oauth/device-flow.test.ts'],
  },
  {
    gate: 'oauth: a code or token that is used twice ends its session',
    edits: [gate('standalone/oauth/named-servers.ts', '#grantEnded', 'return')],
    tests: attack('oauth-codes'),
  },
  {
    gate: 'oauth: what clients may say of themselves',
    edits: [gate('standalone/oauth/clients.ts', 'checkClient', 'return')],
    tests: attack('oauth-metadata-fetch'),
  },
  {
    gate: 'oauth: strangers name public addresses only',
    edits: [text('standalone/oauth/guarded-fetch.ts', "range === 'unicast' ||", "range !== '' ||")],
    tests: attack('oauth-metadata-fetch'),
  },
  {
    gate: 'oauth: a user whose version was raised has no grants',
    edits: [text('standalone/oauth/oidc-provider.ts', '|| user.tokenVersion !== account.tokenVersion', '')],
    tests: ['test/oauth/code-flow.test.ts'],
  },
  {
    gate: 'oauth: wrong user codes are limited',
    edits: [gate('standalone/oauth/limits.ts', 'tryCode', 'return allow(undefined)')],
    tests: ['test/oauth/device-flow.test.ts'],
  },
  {
    gate: 'oauth: lasting limits spare those behind a proxy',
    edits: [text('standalone/oauth/limits.ts', 'isShared && isLasting(kind)', 'false')],
    tests: ['packages/standalone/test/oauth-limits.test.ts'],
  },
  {
    gate: 'oauth: requests of one address are limited',
    edits: [gate('standalone/oauth/limits.ts', 'take', 'return allow(undefined)')],
    tests: attack('oauth-pages'),
  },
  {
    gate: 'paths: the library reads a request in the spelling that was limited',
    edits: [gate('bridge/gates/canonical-path.ts', 'rewriteTarget', 'return')],
    tests: attack('path-spellings'),
  },
  {
    gate: 'paths: dot segments have no canonical spelling',
    edits: [text('bridge/gates/canonical-path.ts', "segment === '.' || segment === '..'", "segment === ''")],
    tests: ['packages/bridge/test/gates/canonical-path.test.ts'],
  },
  {
    gate: 'paths: the library serves the paths that are listed',
    edits: [
      gate(
        'standalone/oauth/paths.ts',
        'isOwnPath',
        "return path.startsWith('/oauth/') || STEP_PATH.test(path)",
      ),
    ],
    tests: attack('path-spellings'),
  },
  {
    gate: 'oauth: answers of the library bear headers that protect browsers',
    edits: [text('standalone/oauth/middleware.ts', 'ctx.set(ANSWER_HEADERS)', '')],
    tests: ['test/oauth/answer-headers.test.ts'],
  },
  {
    gate: 'oauth: a failure is answered with these headers too',
    edits: [gate('standalone/oauth/middleware.ts', 'caught', 'await next(); return')],
    tests: ['test/oauth/answer-headers.test.ts'],
  },
  {
    gate: 'oauth: codes go to schemes that are domain names',
    edits: [
      text('standalone/oauth/client-metadata.ts', 'APP_SCHEME.test(protocol)', "protocol !== 'javascript:'"),
    ],
    tests: attack('oauth-redirects'),
  },
  {
    gate: 'names: a Host header adds no name',
    edits: [gate('bridge/gates/own-names.ts', 'at', 'return host')],
    tests: ['packages/bridge/test/gates/own-names.test.ts'],
  },
  {
    gate: 'oauth: the grace of a refresh token ends',
    edits: [
      text('standalone/oauth/records.ts', 'this.#parts.system.nowMs() - consumedAtMs <= GRACE_MS', 'true'),
    ],
    tests: attack('oauth-codes'),
  },
  {
    gate: 'oauth: a copy used within the grace has no tokens of its own',
    edits: [text('standalone/oauth/oidc-provider.ts', 'chainRefreshTokens(provider, parts.records.key)', '')],
    tests: attack('oauth-codes'),
  },
  {
    gate: 'origins: pages that are not listed read nothing',
    edits: [text('bridge/cors.ts', 'else if (origins.has(origin))', "else if (origin !== '')")],
    tests: ['packages/bridge/test/cors.test.ts'],
  },
  {
    gate: 'origins: pages that are not listed get no tokens',
    edits: [
      text(
        'standalone/oauth/authorization-server.ts',
        'origin !== undefined && !this.#origins.has(origin)',
        'false',
      ),
    ],
    tests: ['test/oauth/pages.test.ts'],
  },
  {
    gate: 'oauth: the device grant is for the agent alone',
    edits: [
      text(
        'standalone/oauth/client-metadata.ts',
        "['authorization_code', 'refresh_token']\n",
        "['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code']\n",
      ),
    ],
    tests: ['test/oauth/client-metadata.test.ts'],
  },
  {
    gate: 'oauth: errors of an app that nobody approved stay here',
    edits: [gate('standalone/oauth/error-answers.ts', 'answer', 'return')],
    tests: attack('oauth-redirects'),
  },
  {
    gate: 'oauth: an app is known to the user who approved it',
    edits: [
      text(
        'standalone/oauth/error-answers.ts',
        "kind === 'client' && clientId === Client.clientId",
        "kind === 'client'",
      ),
    ],
    tests: attack('oauth-redirects'),
  },
  {
    gate: 'oauth records: requests for access of one address are limited',
    edits: [text('standalone/oauth/paths.ts', "[ROUTES.authorization]: ['begin'],", '')],
    tests: attack('oauth-tables'),
  },
  {
    gate: 'oauth records: pages for machines are limited',
    edits: [text('standalone/oauth/paths.ts', "[ROUTES.code_verification]: ['begin'],", '')],
    tests: attack('oauth-tables'),
  },
  {
    gate: 'oauth records: their size has a bound',
    edits: [gate('standalone/oauth/records.ts', '#checkSize', 'return')],
    tests: attack('oauth-tables'),
  },
  {
    gate: 'oauth records: their number has a bound',
    edits: [gate('standalone/oauth/records.ts', '#trim', 'return')],
    tests: attack('oauth-tables'),
  },
  {
    gate: 'oauth records: an approved client is kept',
    edits: [gate('standalone/oauth/records.ts', '#clientIsUsed', 'return')],
    tests: attack('oauth-tables'),
  },
  {
    gate: 'oauth records: assertions are short-lived',
    edits: [
      text(
        'standalone/oauth/oidc-provider.ts',
        'if (Number(exp) * 1_000 > system.nowMs() + MAX_ASSERTION_SECONDS * 1_000)',
        'if (exp === 0)',
      ),
    ],
    tests: attack('oauth-tables'),
  },
  {
    gate: 'oauth: polls that come too fast are told so',
    edits: [gate('standalone/oauth/device-polls.ts', 'isTooFast', 'return false')],
    tests: ['test/oauth/device-flow.test.ts'],
  },
  {
    gate: 'oauth: the one who answers is the one who was asked',
    edits: [gate('standalone/oauth/interactions.ts', 'isAccountOf', 'return true')],
    tests: attack('oauth-pages'),
  },
  {
    gate: 'oauth: the library hears the issuer, not the request',
    edits: [gate('standalone/oauth/authorization-server.ts', 'asNamed', 'return')],
    tests: ['test/oauth/code-flow.test.ts'],
  },
  {
    gate: 'tokens: the session behind it is open',
    edits: [
      text(
        'bridge/tokens/access-tokens.ts',
        'session?.userId !== sub || session.expiresAtMs <= system.nowMs()',
        'session?.userId === null',
      ),
    ],
    tests: ['packages/bridge/test/access-tokens.test.ts'],
  },
  {
    gate: 'tokens: the issuer selects the verifier',
    edits: [text('standalone/tokens/by-issuer.ts', 'issuerOf(token) === issuer ? server : own', 'own')],
    tests: attack('oauth-forgeries'),
  },
]
