import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  type Bridge,
  type BridgeOptions,
  callbackLog,
  createBridge,
  createTokens,
  type IssuedToken,
  memoryUsers,
  realSystem,
  type System,
  type User,
} from '@bridgekeeper/bridge'
import { atEnd } from './at-end.ts'

export const SECRET = Buffer.alloc(32, 7)

export function user(name: string): User {
  return {
    userId: `user_${name}`,
    email: `${name}@example.com`,
    tokenVersion: 0,
    createdAtMs: 0,
    state: 'active',
  }
}

export interface TestBridge {
  readonly bridge: Bridge
  readonly server: Server
  readonly port: number
  /** http://127.0.0.1:port */
  readonly url: string
  token(name: string, lifetimeMs?: number): Promise<IssuedToken>
}

/** A bridge on a free port with the users ann and bob, gone when the test ends. */
export async function startBridge(
  options: Partial<BridgeOptions> & { readonly system?: System } = {},
): Promise<TestBridge> {
  const system = options.system ?? realSystem()
  const tokens = createTokens(SECRET, memoryUsers([user('ann'), user('bob')]), system)
  const bridge = createBridge({
    authenticator: tokens,
    securityLog: callbackLog(() => {}),
    ...options,
    system,
  })
  const server = createServer()
  bridge.attach(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  atEnd(async () => {
    await bridge.close(0)
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  const { port } = server.address() as AddressInfo
  return {
    bridge,
    server,
    port,
    url: `http://127.0.0.1:${port}`,
    token: (name, lifetimeMs = 60_000) => tokens.issue(user(name), lifetimeMs),
  }
}
