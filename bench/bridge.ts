/** The bridge as an app embeds it, every check on: what is compared with the relay. */
import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBridge, createTokens, memoryUsers, realSystem, type User } from '@bridgekeeper/bridge'
import { FRAME_ALLOWANCE, MESSAGE_ALLOWANCE } from '@bridgekeeper/bridge/testing'
import { createSecurityLog } from '@bridgekeeper/standalone'
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
const { BENCH_SECRET } = process.env
const secret = BENCH_SECRET === undefined ? randomBytes(SECRET_BYTES) : Buffer.from(BENCH_SECRET, 'hex')
// Everybody with a token is a user, so that another process can issue tokens of many.
const users = { ...memoryUsers([]), findById: async (userId: string) => ({ ...user, userId }) }
const tokens = createTokens(secret, users, system)
const { accessToken: token, userId, sessionId } = await tokens.issue(user, TOKEN_LIFETIME_MS)

// More than there can be, so that these limits are checked and never met. An app cannot set them.
for (const allowance of [FRAME_ALLOWANCE, MESSAGE_ALLOWANCE]) Object.assign(allowance, { units: 1e9 })

const http = createServer({ noDelay: true, keepAliveTimeout: KEEP_ALIVE_MS })
const folder = mkdtempSync(join(tmpdir(), 'bridgekeeper-bench-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
createBridge({
  authenticator: tokens,
  securityLog: createSecurityLog({ folder, key: randomBytes(SECRET_BYTES), system }),
  // The same for calls.
  rateLimits: { user: { maxCalls: 100_000, windowMs: 1_000, blockMs: 0 } },
  system,
}).attach(http)
http.listen(0, '127.0.0.1', () => {
  const { port } = http.address() as AddressInfo
  announce({ port, login: { token, userId, sessionId } })
})
