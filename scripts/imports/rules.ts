/**
 * Who may import whom.
 *
 * An area is a package (`agent`), or a folder or file directly in its `src` (`server/gates`, `server/ports`).
 * `server/*` means every area of the server.
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
  { area: 'console', imports: ['protocol'], because: 'it runs in a browser and knows the wire only' },
  { area: 'agent', imports: ['agent/*', 'protocol'], because: 'a desktop gets no code of the bridge' },
  { area: 'cli', imports: ['agent', 'protocol', 'server'], because: 'it puts the packages together' },
  {
    area: 'server',
    imports: ['server/*', 'protocol'],
    because: 'the root files and standalone/ put the bridge together; the agent is no part of it',
  },
  { area: 'server/standalone', imports: ['server/*', 'protocol'], because: 'it puts a whole node together' },
  {
    area: 'server/ports',
    imports: ['protocol'],
    importsTypes: ['server/gates', 'server/security-log'],
    because: 'interfaces stand below all that use or fill them',
  },
  {
    area: 'server/gates',
    imports: ['server/ports', 'protocol'],
    modules: ['node:crypto', 'ipaddr.js'],
    because: 'a gate decides from what it is given: no network, no database, no clock or timer of its own',
  },
  {
    area: 'server/security-log',
    imports: ['server/ports', 'protocol'],
    modules: ['node:crypto', 'node:fs', 'node:path', 'node:stream'],
    because:
      'it records what others decided and decides nothing: no network, no database, no clock of its own',
  },
  {
    area: 'server/calls',
    imports: ['protocol'],
    because: 'what a call is and how it ended is a value, whoever carries it',
  },
  {
    area: 'server/cors',
    imports: [],
    modules: ['node:http'],
    because:
      'each door lets pages of listed origins read its answers in the same way, and this admits nobody',
  },
  { area: 'server/groups', imports: [], modules: [], because: 'a collection knows nothing of what is in it' },
  {
    area: 'server/admission',
    imports: ['server/gates', 'server/groups', 'server/ports', 'protocol'],
    because: 'it runs the gates in their order and knows no socket, no HTTP and no database',
  },
  {
    area: 'server/connection',
    imports: ['server/calls', 'server/gates', 'server/ports', 'protocol'],
    importsTypes: ['server/security-log'],
    because: 'it runs the gates of each message and knows nothing of how messages come and go',
  },
  {
    area: 'server/router',
    imports: [
      'server/calls',
      'server/connection',
      'server/gates',
      'server/groups',
      'server/ports',
      'protocol',
    ],
    because: 'it sees a connection, not the socket or the caller at either end',
  },
  {
    area: 'server/southbound',
    imports: ['server/admission', 'server/gates', 'server/connection', 'server/ports', 'protocol'],
    importsTypes: ['server/security-log'],
    because: 'agents come in here, and callers do not',
  },
  {
    area: 'server/northbound',
    imports: [
      'server/admission',
      'server/cors',
      'server/calls',
      'server/router',
      'server/gates',
      'server/ports',
      'protocol',
    ],
    because: 'callers reach an agent through the router only',
  },
  {
    area: 'server/identity',
    imports: ['server/ports', 'server/gates', 'protocol'],
    because: 'who someone is does not depend on how they came in',
  },
  {
    area: 'server/accounts',
    imports: ['server/identity', 'server/ports', 'server/gates', 'protocol'],
    because: 'pages log people in and show what is theirs; what that is good for is decided elsewhere',
  },
  {
    area: 'server/devices',
    imports: ['server/identity', 'server/gates', 'server/ports', 'protocol'],
    because: 'it turns requests into what identity decides, and the answer into HTTP',
  },
  {
    area: 'server/oauth',
    imports: [
      'server/accounts',
      'server/cors',
      'server/identity',
      'server/gates',
      'server/ports',
      'protocol',
    ],
    because: 'it asks users by pages like those of accounts, and gives tokens that identity verifies',
  },
  {
    area: 'server/adapters',
    imports: ['server/ports', 'protocol'],
    importsTypes: ['server/security-log'],
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
  { modules: ['ws'], area: 'server/southbound', because: 'one place turns sockets into messages' },
  { modules: ['ws'], area: 'agent/link', because: 'one place turns the socket into messages' },
  {
    modules: ['node:child_process', '@modelcontextprotocol/*'],
    area: 'agent/servers',
    because: 'one place starts local servers and speaks to them, after the guard',
  },
  { modules: ['@modelcontextprotocol/*'], area: 'server/northbound', because: 'one place speaks MCP' },
  { modules: ['jose'], area: 'server/identity', because: 'one place reads and makes tokens' },
  {
    modules: ['@node-rs/argon2', 'otpauth', '@simplewebauthn/server', 'openid-client'],
    area: 'server/accounts',
    because: 'one place takes passwords, codes and passkeys, and asks providers who somebody is',
  },
  {
    modules: ['oidc-provider'],
    area: 'server/oauth',
    because: 'what the library is told, and what it is kept from, stands in one place',
  },
  {
    modules: ['node:sqlite', 'kysely', 'pg', 'ioredis', 'redis'],
    area: 'server/adapters',
    because: 'databases stay behind the ports',
  },
]

/** The clock and randomness are passed in; in these packages only these files may reach for the real ones. */
export const TIMELESS = { packages: ['protocol', 'server', 'agent'], except: /\/src\/(?:.+\/)?system\.ts$/ }
