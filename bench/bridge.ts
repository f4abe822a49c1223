/** The bridge as an app embeds it, every check on: what is compared with the relay. */
import { randomBytes, randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createBridge, createTokens, memoryUsers, realSystem, type User } from '@bridgekeeper/server'
import { announce, KEEP_ALIVE_MS } from './child.ts'

const TOKEN_LIFETIME_MS = 3_600_000
const SECRET_BYTES = 32

const system = realSystem()
const user: User = {
  userId: randomUUID(),
  email: 'bench@example.com',
  tokenVersion: 0,
  state: 'active',
  createdAtMs: system.nowMs(),
}
const tokens = createTokens(randomBytes(SECRET_BYTES), memoryUsers([user]), system)
const { accessToken: token, userId, sessionId } = await tokens.issue(user, TOKEN_LIFETIME_MS)

const http = createServer({ noDelay: true, keepAliveTimeout: KEEP_ALIVE_MS })
createBridge({ authenticator: tokens, system }).attach(http)
http.listen(0, '127.0.0.1', () => {
  const { port } = http.address() as AddressInfo
  announce({ port, login: { token, userId, sessionId } })
})
