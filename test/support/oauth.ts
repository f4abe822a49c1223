import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  type Bridge,
  createBridge,
  createTokens,
  type Revocation,
  realSystem,
  type System,
} from '@bridgekeeper/bridge'
import { AccessTokens, loadSigningKey, Recall } from '@bridgekeeper/bridge/testing'
import {
  AuthorizationServer,
  type AuthorizationServerParts,
  byIssuer,
  createAccounts,
  LoginSessions,
  loadBridgeKey,
  openSqliteStores,
  Passwords,
  type Stores,
  siteOf,
} from '@bridgekeeper/standalone/testing'
import { onTestFinished } from 'vitest'
import { SECRET, type TestBridge, user } from './bridge.ts'
import { Person } from './person.ts'
import { Recorded } from './recorded.ts'

export const PASSWORD = 'a horse that reads maps'

export interface OAuthNode extends TestBridge {
  readonly bridge: Bridge
  readonly stores: Stores
  readonly access: AccessTokens
  readonly recorded: Recorded
  /** Ends it wherever it is used. */
  revoke(revoked: Revocation): Promise<void>
  /** A browser in which this user is logged in. */
  login(name: string): Promise<Person>
}

export interface OAuthOptions {
  readonly system?: System
  readonly parts?: Partial<AuthorizationServerParts>
  /** Default: the address at which the node listens. */
  readonly publicUrls?: readonly string[]
  readonly allowedOrigins?: readonly string[]
}

/** A bridge with accounts and an authorization server on a free port, its stores in memory. */
export async function startOAuth({
  system = realSystem(),
  parts = {},
  publicUrls,
  allowedOrigins = [],
}: OAuthOptions = {}): Promise<OAuthNode> {
  const stores = await openSqliteStores(':memory:', system)
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  const names = publicUrls ?? [url]
  const [issuer = url] = names
  const recorded = new Recorded()
  const log = recorded.securityLog
  const recalled = new Recall(system)
  const signingKey = await loadSigningKey(stores.keys, Buffer.alloc(32, 1), system)
  const tokens = createTokens(SECRET, stores.users, system, undefined, recalled)
  const access = new AccessTokens({ ...stores, key: signingKey, issuer, system, recalled })
  const bridge = createBridge({
    authenticator: byIssuer(issuer, access, tokens, recalled),
    publicUrls: names,
    authorizationServers: [issuer],
    allowedOrigins,
    proof: { devices: stores.devices, key: await loadBridgeKey(stores.keys, Buffer.alloc(32, 4), system) },
    enrolment: {
      ...{ sessions: stores.sessions, users: stores.users, tokens: access },
      mayEnrol: (token) => access.verifyEnrolment(token),
    },
    securityLog: log,
    system,
  })
  await bridge.ready()
  const { revoke } = bridge
  const sessions = new LoginSessions({ sessions: stores.sessions, revoke, log, system })
  const common = { site: siteOf(issuer), sessions, log, system, door: bridge.frontDoor }
  const pageKey = Buffer.alloc(32, 8)
  const loginTokens = createTokens(SECRET, stores.users, system, stores.sessions)
  const accounts = createAccounts({ ...stores, ...common, tokens: loginTokens, key: pageKey, revoke })
  const oauth = new AuthorizationServer({
    ...common,
    issuer,
    publicUrls: names,
    signingKey,
    recordKey: Buffer.alloc(32, 2),
    cookieKey: Buffer.alloc(32, 3),
    pageKey,
    store: stores.oauth,
    users: stores.users,
    sessionStore: stores.sessions,
    browserSessions: accounts.browserSessions,
    allowRegistration: true,
    production: false,
    allowedOrigins,
    ...parts,
  })
  server.on('request', (request, response) => {
    if (!accounts.handle(request, response) && !oauth.handle(request, response)) response.writeHead(404).end()
  })
  bridge.attach(server)
  const passwords = new Passwords(stores.credentials, system)
  for (const name of ['ann', 'bob']) {
    await stores.users.add(user(name))
    await passwords.set(`user_${name}`, PASSWORD)
  }
  onTestFinished(async () => {
    await bridge.close(0)
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await stores.close()
  })
  return {
    bridge,
    server,
    port,
    url,
    stores,
    access,
    recorded,
    revoke,
    token: (name, lifetimeMs = 60_000) => tokens.issue(user(name), lifetimeMs),
    async login(name) {
      const person = new Person(url)
      const page = await person.visit(`${url}/login`)
      await person.submit(page, { action: '/login' }, { email: `${name}@example.com`, password: PASSWORD })
      return person
    },
  }
}
