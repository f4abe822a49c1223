import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  type Bridge,
  type BridgeOptions,
  createBridge,
  createTokens,
  type Revocation,
  realSystem,
  type System,
  type Tokens,
  type User,
} from '@bridgekeeper/bridge'
import type { UserRole } from '@bridgekeeper/bridge/testing'
import {
  type AccountParts,
  type Accounts,
  createAccounts,
  type LoginProviderSettings,
  LoginSessions,
  openSqliteStores,
  Passwords,
  type Stores,
  siteOf,
} from '@bridgekeeper/standalone/testing'
import { onTestFinished } from 'vitest'
import { Recorded } from './recorded.ts'
import { Surfer } from './surfer.ts'

const SECRET = Buffer.alloc(32, 7)
export const PAGE_KEY = Buffer.alloc(32, 8)
export const PASSWORD = 'a horse that reads maps'

export interface TestAccounts {
  readonly url: string
  readonly server: Server
  readonly stores: Stores
  readonly bridge: Bridge
  readonly accounts: Accounts
  readonly tokens: Tokens
  readonly recorded: Recorded
  readonly system: System
  /** Recorded revocations, in order. */
  readonly revoked: readonly Revocation[]
  user(name: string, options?: { readonly role?: UserRole; readonly password?: string }): Promise<User>
  /** A browser in which this user is logged in. */
  login(name: string, password?: string): Promise<Surfer>
}

export interface TestOptions {
  readonly system?: System
  readonly port?: number
  /** The name under which browsers come. */
  readonly host?: string
  /** Address of the pages; the real one unless given. */
  readonly issuer?: string
  readonly bridge?: Partial<BridgeOptions>
  readonly parts?: Partial<AccountParts>
  readonly provider?: LoginProviderSettings
}

/** A bridge with account pages on a free port, its stores in memory; gone when the test ends. */
export async function startAccounts(options: TestOptions = {}): Promise<TestAccounts> {
  const system = options.system ?? realSystem()
  const stores = await openSqliteStores(':memory:', system)
  const recorded = new Recorded()
  const log = recorded.securityLog
  const tokens = createTokens(SECRET, stores.users, system, stores.sessions)
  const bridge = createBridge({
    authenticator: tokens,
    securityLog: log,
    system,
    revocations: stores.revocations,
    ...options.bridge,
  })
  await bridge.ready()
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve))
  const url = `http://${options.host ?? '127.0.0.1'}:${(server.address() as AddressInfo).port}`
  const revoked: Revocation[] = []
  const revoke = async (revocation: Revocation): Promise<void> => {
    revoked.push(revocation)
    await bridge.revoke(revocation)
  }
  const accounts = createAccounts(
    {
      site: siteOf(options.issuer ?? url),
      ...stores,
      sessions: new LoginSessions({ sessions: stores.sessions, revoke, log, system }),
      tokens,
      log,
      system,
      key: PAGE_KEY,
      door: bridge.frontDoor,
      revoke,
      ...options.parts,
    },
    options.provider,
  )
  server.on('request', (request, response) => {
    if (!accounts.handle(request, response)) response.writeHead(404).end()
  })
  bridge.attach(server)
  onTestFinished(async () => {
    await bridge.close(0)
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await stores.close()
  })
  return {
    url,
    server,
    stores,
    bridge,
    accounts,
    tokens,
    recorded,
    system,
    revoked,
    user: (name, given) => addUser(stores, system, name, given),
    login: (name, password) => logIn(url, name, password),
  }
}

async function addUser(
  stores: Stores,
  system: System,
  name: string,
  { role = 'user', password = PASSWORD }: { readonly role?: UserRole; readonly password?: string } = {},
): Promise<User> {
  const user = await stores.users.add({
    userId: `user_${name}`,
    email: `${name}@example.com`,
    tokenVersion: 0,
    createdAtMs: system.nowMs(),
    state: 'active',
    role,
  })
  if (user === undefined) throw new Error(`The user ${name} exists already.`)
  if (password !== '') await setPassword(stores, system, user, password)
  return user
}

/** Hashes of passwords by user: hashing would take most of a test's time. */
const HASHES = new Map<string, string>()

async function setPassword(
  { credentials }: Stores,
  system: System,
  { userId }: User,
  password: string,
): Promise<void> {
  const name = `${userId} ${password}`
  const known = HASHES.get(name)
  if (known !== undefined) return credentials.setPassword(userId, known)
  await new Passwords(credentials, system).set(userId, password)
  const { passwordHash = '' } = (await credentials.find(userId)) ?? {}
  HASHES.set(name, passwordHash)
}

async function logIn(url: string, name: string, password = PASSWORD): Promise<Surfer> {
  const surfer = new Surfer(url)
  const page = await surfer.get('/login')
  const seen = await surfer.submit(page, '/login', { email: `${name}@example.com`, password })
  if (seen.status !== 200) throw new Error(`The login was answered with ${seen.status}.`)
  return surfer
}
