/**
 * Allowed imports between areas.
 *
 * An area is a package (`agent`), or a folder or file directly in its `src` (`bridge/gates`, `bridge/ports`).
 * `bridge/*` means every area of the bridge.
 */

/** What the files of one area may import of this project. */
export interface Layer {
  readonly area: string
  readonly imports: readonly string[]
  readonly importsTypes?: readonly string[]
  /** Where this is given, nothing else from npm or Node may be imported. */
  readonly modules?: readonly string[]
  readonly because: string
}

/** A file belongs to its area's layer, or where its area is not listed to its package's. */
export const LAYERS: readonly Layer[] = [
  {
    area: 'protocol',
    imports: [],
    modules: ['zod'],
    because: 'both ends share the wire, so it drags in neither of them nor their machinery',
  },
  { area: 'agent', imports: ['agent/*', 'protocol'], because: 'a desktop gets no code of the bridge' },
  {
    area: 'cli',
    imports: ['agent', 'bridge', 'protocol', 'standalone'],
    because: 'it puts the packages together',
  },
  {
    area: 'bridge',
    imports: ['bridge/*', 'protocol'],
    because: 'the files at its root put the library together; neither the node nor the agent is part of it',
  },
  {
    area: 'standalone',
    imports: ['standalone/*', 'bridge', 'protocol'],
    because: 'it builds a whole node around the library; the agent is not part of it',
  },
  {
    area: 'bridge/limiters',
    imports: ['bridge/gates', 'bridge/ports', 'protocol'],
    modules: ['node:crypto'],
    because: 'a limiter counts what it is given: no network, no database, no clock or timer of its own',
  },
  {
    area: 'bridge/ports',
    imports: ['protocol'],
    importsTypes: ['bridge/gates', 'bridge/limiters', 'bridge/security-log'],
    because: 'interfaces stand below all that use or fill them',
  },
  {
    area: 'bridge/gates',
    imports: ['bridge/memoize', 'bridge/ports', 'protocol'],
    importsTypes: ['bridge/limiters'],
    modules: ['node:crypto', 'ipaddr.js'],
    because: 'a gate decides from what it is given: no network, no database, no clock or timer of its own',
  },
  {
    area: 'bridge/security-log',
    imports: ['bridge/memoize', 'bridge/ports', 'protocol'],
    modules: ['node:stream'],
    because:
      'it records what others decided and decides nothing: no network, no database, no clock of its own',
  },
  {
    area: 'bridge/calls',
    imports: ['protocol'],
    because: 'what a call is and how it ended is a value, whoever carries it',
  },
  {
    area: 'bridge/cors',
    imports: [],
    modules: ['node:http'],
    because:
      'each door lets pages of listed origins read its answers in the same way, and this admits nobody',
  },
  { area: 'bridge/memoize', imports: [], modules: [], because: 'a cache knows nothing of what is in it' },
  { area: 'bridge/groups', imports: [], modules: [], because: 'a collection knows nothing of what is in it' },
  {
    area: 'bridge/admission',
    imports: ['bridge/gates', 'bridge/limiters', 'bridge/groups', 'bridge/ports', 'protocol'],
    because: 'it runs the gates in their order and knows no socket, no HTTP and no database',
  },
  {
    area: 'bridge/connection',
    imports: ['bridge/calls', 'bridge/gates', 'bridge/limiters', 'bridge/ports', 'protocol'],
    importsTypes: ['bridge/security-log'],
    because: 'it runs the gates of each message and knows nothing of how messages come and go',
  },
  {
    area: 'bridge/router',
    imports: [
      'bridge/calls',
      'bridge/connection',
      'bridge/gates',
      'bridge/limiters',
      'bridge/groups',
      'bridge/ports',
      'protocol',
    ],
    because: 'it sees a connection, not the socket or the caller at either end',
  },
  {
    area: 'bridge/southbound',
    imports: [
      'bridge/admission',
      'bridge/gates',
      'bridge/limiters',
      'bridge/connection',
      'bridge/ports',
      'protocol',
    ],
    importsTypes: ['bridge/security-log'],
    because: 'agents come in here, and callers do not',
  },
  {
    area: 'bridge/northbound',
    imports: [
      'bridge/admission',
      'bridge/cors',
      'bridge/calls',
      'bridge/router',
      'bridge/gates',
      'bridge/limiters',
      'bridge/ports',
      'protocol',
    ],
    because: 'callers reach an agent through the router only',
  },
  {
    area: 'bridge/tokens',
    imports: ['bridge/ports', 'bridge/gates', 'bridge/limiters', 'protocol'],
    because: 'a token means the same whichever way it comes in',
  },
  {
    area: 'standalone/ports',
    imports: ['bridge'],
    because: 'interfaces stand below all that use or fill them',
  },
  {
    area: 'standalone/config',
    imports: ['standalone/*', 'bridge', 'protocol'],
    because: 'it reads settings for every area, and says what is wrong with them',
  },
  {
    area: 'standalone/data',
    imports: ['standalone/*', 'bridge', 'protocol'],
    because: 'it opens what an installation keeps',
  },
  {
    area: 'standalone/security-log',
    imports: ['standalone/*', 'bridge', 'protocol'],
    because: 'it is one file of one installation',
  },
  {
    area: 'standalone/sessions',
    imports: ['standalone/ports', 'bridge', 'protocol'],
    because: 'who someone is does not depend on the page that they use',
  },
  {
    area: 'standalone/web',
    imports: ['bridge', 'protocol'],
    modules: ['cookie', 'node:crypto', 'node:http'],
    because: 'every page is made of it, whichever area the page belongs to',
  },
  {
    area: 'standalone/browser',
    imports: ['standalone/ports', 'standalone/web', 'standalone/sessions', 'bridge', 'protocol'],
    because: 'every area with pages asks it who is logged in; it has no page of its own',
  },
  {
    area: 'standalone/passwords',
    imports: ['standalone/ports', 'bridge', 'protocol'],
    because: 'pages and commands set passwords by the same rules',
  },
  {
    area: 'standalone/operations',
    imports: [
      'standalone/adapters',
      'standalone/config',
      'standalone/data',
      'standalone/passwords',
      'standalone/ports',
      'standalone/security-log',
      'standalone/sessions',
      'bridge',
      'protocol',
    ],
    because: 'an act is the same for the command line and for pages, and knows neither',
  },
  {
    area: 'standalone/accounts',
    imports: [
      'standalone/ports',
      'standalone/web',
      'standalone/browser',
      'standalone/sessions',
      'standalone/passwords',
      'standalone/operations',
      'standalone/config',
      'bridge',
      'protocol',
    ],
    because: 'pages log people in and show what is theirs; what that is good for is decided elsewhere',
  },
  {
    area: 'bridge/devices',
    imports: ['bridge/tokens', 'bridge/gates', 'bridge/limiters', 'bridge/ports', 'protocol'],
    because: 'it turns requests into what identity decides, and the answer into HTTP',
  },
  {
    area: 'standalone/oauth',
    imports: [
      'standalone/ports',
      'standalone/web',
      'standalone/browser',
      'standalone/sessions',
      'bridge',
      'protocol',
    ],
    because: 'it asks users by pages of the same kit, and needs nothing of the account pages',
  },
  {
    area: 'standalone/adapters',
    imports: ['standalone/ports', 'standalone/sessions', 'bridge', 'protocol'],
    because: 'an adapter fills a port and can be replaced by another',
  },
]

/** A module that, within one package, only one area may import. */
export interface Owner {
  readonly modules: readonly string[]
  readonly area: string
  readonly because: string
}

export const OWNERS: readonly Owner[] = [
  { modules: ['ws'], area: 'bridge/southbound', because: 'one place turns sockets into messages' },
  { modules: ['ws'], area: 'agent/link', because: 'one place turns the socket into messages' },
  { modules: ['node:sqlite'], area: 'agent/keychain', because: 'it serves as the lock of the keychain only' },
  {
    modules: ['node:child_process', '@modelcontextprotocol/*'],
    area: 'agent/servers',
    because: 'one place starts local servers and speaks to them, after the guard',
  },
  { modules: ['@modelcontextprotocol/*'], area: 'bridge/northbound', because: 'one place speaks MCP' },
  { modules: ['jose'], area: 'bridge/tokens', because: 'one place reads and makes tokens' },
  {
    modules: ['@node-rs/argon2'],
    area: 'standalone/passwords',
    because: 'one place hashes passwords, and bounds how many at once',
  },
  {
    modules: ['otpauth', '@simplewebauthn/server', 'openid-client'],
    area: 'standalone/accounts',
    because: 'one place takes codes and passkeys, and asks providers who somebody is',
  },
  {
    modules: ['oidc-provider'],
    area: 'standalone/oauth',
    because: 'what the library is told, and what it is kept from, stands in one place',
  },
  {
    modules: ['node:sqlite', 'kysely', 'pg', 'ioredis', 'redis'],
    area: 'standalone/adapters',
    because: 'databases stay behind the ports',
  },
]

/** The clock and randomness are passed in; in these packages only these files may reach for the real ones. */
export const TIMELESS = {
  packages: ['protocol', 'bridge', 'standalone', 'agent'],
  except: /\/src\/(?:.+\/)?system\.ts$/,
}
