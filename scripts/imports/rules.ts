/**
 * Rules for imports, which `npm run check -- imports` enforces.
 *
 * An area is a package (`agent`), or a folder or file directly in its `src` (`bridge/gates`, `bridge/ports`).
 * `bridge/*` means every area of the bridge.
 */

/** Parts of this project that the files of one area may import. */
export interface Layer {
  readonly area: string
  readonly imports: readonly string[]
  readonly importsTypes?: readonly string[]
  /** The only modules of npm and Node that it may import. Without it, any. */
  readonly modules?: readonly string[]
  readonly because: string
}

/** A file belongs to the layer of its area or, if its area has none, to that of its package. */
export const LAYERS: readonly Layer[] = [
  {
    area: 'protocol',
    imports: [],
    modules: ['node:crypto', 'node:module', 'zod'],
    because: 'the bridge and the agent share it, so it depends on neither',
  },
  {
    area: 'agent',
    imports: ['agent/*', 'protocol'],
    because: 'a user installs the agent without the bridge',
  },
  {
    area: 'cli',
    imports: ['agent', 'bridge', 'protocol', 'standalone'],
    because: 'it offers the packages as commands',
  },
  {
    area: 'bridge',
    imports: ['bridge/*', 'protocol'],
    because: 'the files at its root assemble the library, which depends on neither node nor agent',
  },
  {
    area: 'standalone',
    imports: ['standalone/*', 'bridge', 'protocol'],
    because: 'it builds a node around the library and does not depend on the agent',
  },
  {
    area: 'bridge/limiters',
    imports: ['bridge/gates', 'bridge/ports', 'protocol'],
    modules: ['node:crypto'],
    because: 'a limiter counts its inputs: no network, database, clock or timer',
  },
  {
    area: 'bridge/ports',
    imports: ['protocol'],
    importsTypes: ['bridge/gates', 'bridge/limiters', 'bridge/security-log'],
    because: 'interfaces depend on no implementation and no user of them',
  },
  {
    area: 'bridge/gates',
    imports: ['bridge/memoize', 'bridge/ports', 'protocol'],
    importsTypes: ['bridge/limiters'],
    modules: ['node:crypto', 'ipaddr.js'],
    because: 'a gate decides from its arguments: no network, database, clock or timer',
  },
  {
    area: 'bridge/security-log',
    imports: ['bridge/memoize', 'bridge/ports', 'protocol'],
    modules: ['node:stream'],
    because: 'it records decisions and makes none: no network, database or clock',
  },
  {
    area: 'bridge/calls',
    imports: ['protocol'],
    because: 'calls and their results are values, independent of transport',
  },
  {
    area: 'bridge/cors',
    imports: [],
    modules: ['node:http'],
    because: 'every HTTP endpoint shares it, and it admits nobody',
  },
  {
    area: 'bridge/refusal',
    imports: ['bridge/gates', 'protocol'],
    modules: [],
    because: 'it writes a refusal as text and decides nothing',
  },
  { area: 'bridge/memoize', imports: [], modules: [], because: 'a cache is independent of its content' },
  {
    area: 'bridge/collections',
    imports: ['bridge/ports'],
    modules: [],
    because: 'a collection is independent of its content',
  },
  {
    area: 'bridge/admission',
    imports: ['bridge/gates', 'bridge/limiters', 'bridge/collections', 'bridge/ports', 'protocol'],
    because: 'it runs the gates in order, without socket, HTTP or database',
  },
  {
    area: 'bridge/connection',
    imports: [
      'bridge/calls',
      'bridge/collections',
      'bridge/gates',
      'bridge/limiters',
      'bridge/ports',
      'protocol',
    ],
    importsTypes: ['bridge/security-log'],
    because: 'it runs the gates of each message, independent of transport',
  },
  {
    area: 'bridge/exchanges',
    imports: [
      'bridge/calls',
      'bridge/collections',
      'bridge/connection',
      'bridge/gates',
      'bridge/ports',
      'protocol',
    ],
    because: 'it keeps what connections carry, and knows neither callers nor sockets',
  },
  {
    area: 'bridge/router',
    imports: [
      'bridge/calls',
      'bridge/directory',
      'bridge/exchanges',
      'bridge/gates',
      'bridge/limiters',
      'bridge/ports',
      'protocol',
    ],
    because: 'it passes requests on to what the directory finds, and knows no connections',
  },
  {
    area: 'bridge/directory',
    imports: ['bridge/collections', 'bridge/exchanges', 'bridge/ports', 'protocol'],
    importsTypes: ['bridge/connection'],
    because: 'it knows which servers a user has and the way to each, and no callers',
  },
  {
    area: 'bridge/southbound',
    imports: [
      'bridge/admission',
      'bridge/collections',
      'bridge/gates',
      'bridge/limiters',
      'bridge/connection',
      'bridge/ports',
      'bridge/refusal',
      'protocol',
    ],
    importsTypes: ['bridge/security-log'],
    because: 'only agents connect here',
  },
  {
    area: 'bridge/northbound',
    imports: [
      'bridge/directory',
      'bridge/admission',
      'bridge/cors',
      'bridge/calls',
      'bridge/collections',
      'bridge/exchanges',
      'bridge/router',
      'bridge/gates',
      'bridge/limiters',
      'bridge/memoize',
      'bridge/ports',
      'protocol',
    ],
    because: 'callers reach an agent only through the router',
  },
  {
    area: 'bridge/tokens',
    imports: ['bridge/ports', 'bridge/gates', 'bridge/limiters', 'protocol'],
    because: 'a token means the same on every endpoint',
  },
  {
    area: 'standalone/ports',
    imports: ['bridge'],
    because: 'interfaces depend on no implementation and no user of them',
  },
  {
    area: 'standalone/config',
    imports: ['standalone/*', 'bridge', 'protocol'],
    because: 'it reads and validates the settings of every area',
  },
  {
    area: 'standalone/data',
    imports: ['standalone/*', 'bridge', 'protocol'],
    because: 'it opens the data folder and the database',
  },
  {
    area: 'standalone/security-log',
    imports: ['standalone/*', 'bridge', 'protocol'],
    because: 'it writes the log file of one installation',
  },
  {
    area: 'standalone/sessions',
    imports: ['standalone/ports', 'bridge', 'protocol'],
    because: 'a session does not depend on a page',
  },
  {
    area: 'standalone/web',
    imports: ['bridge', 'protocol'],
    modules: ['cookie', 'node:crypto', 'node:http'],
    because: 'pages of every area share this kit',
  },
  {
    area: 'standalone/browser',
    imports: ['standalone/ports', 'standalone/web', 'standalone/sessions', 'bridge', 'protocol'],
    because: 'every area with pages authenticates browsers here; it has no pages',
  },
  {
    area: 'standalone/passwords',
    imports: ['standalone/ports', 'bridge', 'protocol'],
    because: 'pages and commands share the rules for passwords',
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
    because: 'command line and pages share the operations, which depend on neither',
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
    because: 'pages log users in; they authorize nothing',
  },
  {
    area: 'bridge/devices',
    imports: [
      'bridge/tokens',
      'bridge/gates',
      'bridge/limiters',
      'bridge/ports',
      'bridge/refusal',
      'protocol',
    ],
    because: 'it translates between HTTP and tokens',
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
    because: 'its pages use the web kit and are independent of the account pages',
  },
  {
    area: 'standalone/adapters',
    imports: ['standalone/ports', 'standalone/sessions', 'bridge', 'protocol'],
    because: 'an adapter implements a port and can be replaced',
  },
]

/** Modules that only one area of a package may import. */
export interface Owner {
  readonly modules: readonly string[]
  readonly area: string
  readonly because: string
}

export const OWNERS: readonly Owner[] = [
  { modules: ['ws'], area: 'bridge/southbound', because: 'one area turns sockets into messages' },
  { modules: ['ws'], area: 'agent/link', because: 'one area turns the socket into messages' },
  { modules: ['node:sqlite'], area: 'agent/keychain', because: 'SQLite only locks the keychain' },
  {
    modules: ['node:child_process', '@modelcontextprotocol/*'],
    area: 'agent/servers',
    because: 'one area starts local servers and calls them, behind the guard',
  },
  { modules: ['@modelcontextprotocol/*'], area: 'bridge/northbound', because: 'one area speaks MCP' },
  { modules: ['jose'], area: 'bridge/tokens', because: 'one area verifies and issues tokens' },
  {
    modules: ['@node-rs/argon2'],
    area: 'standalone/passwords',
    because: 'one area hashes passwords and limits how many at once',
  },
  {
    modules: ['otpauth', '@simplewebauthn/server', 'openid-client'],
    area: 'standalone/accounts',
    because: 'one area verifies codes, passkeys and identity providers',
  },
  {
    modules: ['oidc-provider'],
    area: 'standalone/oauth',
    because: 'one area configures the OAuth server',
  },
  {
    modules: ['node:sqlite', 'kysely', 'pg', 'ioredis', 'redis'],
    area: 'standalone/adapters',
    because: 'databases stay behind the ports',
  },
]

/** The modules of npm and Node that a package may import at all. A package not listed here may import any. */
export interface PackageRule {
  readonly package: string
  readonly modules: readonly string[]
  readonly because: string
}

export const PACKAGES: readonly PackageRule[] = [
  {
    package: 'bridge',
    modules: [
      'node:buffer',
      'node:crypto',
      'node:events',
      'node:http',
      'node:net',
      'node:perf_hooks',
      'node:stream',
      'node:tls',
      '@modelcontextprotocol/*',
      '@noble/curves',
      'ipaddr.js',
      'jose',
      'ws',
      'zod',
    ],
    because: 'the library has no files, no child processes, no database driver and no OAuth server',
  },
]

/** A global that files of some packages must not use, except in files that match. */
export interface Ban {
  readonly packages: readonly string[]
  readonly except: RegExp
  readonly because: string
}

export const BANS = {
  time: {
    packages: ['protocol', 'bridge', 'standalone', 'agent'],
    except: /\/src\/(?:.+\/)?system\.ts$/,
    because: 'pass in the clock and randomness',
  },
  env: {
    packages: ['protocol', 'bridge'],
    // The default of the option `production` reads NODE_ENV.
    except: /^packages\/bridge\/src\/assemble\.ts$/,
    because: 'the library takes options, not environment variables',
  },
} satisfies Record<string, Ban>
