/** The bridge as an app embeds it, every check on, with as many users as there are to be connections. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createBridge,
  createSecurityLog,
  createTokens,
  memoryUsers,
  type Revocation,
  realSystem,
  type User,
} from '@bridgekeeper/server'
import { answer } from './child.ts'
import type { Login } from './crowd.ts'
import { listenerOf, listening } from './listener.ts'
import { type ServerAnswers, serverAnswers, sharedMs } from './usage.ts'

export interface BridgeAnswers extends ServerAnswers {
  port(argument: undefined): number
  /** New logins, of a user each. */
  logins(count: number): Promise<readonly Login[]>
  /** Revokes them one after the other. @returns when each revocation began */
  revoke(revocations: readonly Revocation[]): Promise<readonly number[]>
}

const TOKEN_MS = 3_600_000
const SECRET_BYTES = 32

const system = realSystem()
const users = memoryUsers([])
const tokens = createTokens(randomBytes(SECRET_BYTES), users, system)
const folder = mkdtempSync(join(tmpdir(), 'bridgekeeper-bench-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
const server = listenerOf()
const bridge = createBridge({
  authenticator: tokens,
  securityLog: createSecurityLog({ folder, key: randomBytes(SECRET_BYTES), system }),
  system,
})
bridge.attach(server)
const port = await listening(server)
let made = 0

const answers: BridgeAnswers = {
  ...serverAnswers,
  port: () => port,
  async logins(count) {
    const logins: Login[] = []
    for (let n = 0; n < count; n++) {
      const userId = `user_${made++}`
      const user: User = {
        userId,
        email: `${userId}@example.com`,
        tokenVersion: 0,
        state: 'active',
        createdAtMs: 0,
      }
      await users.add(user)
      const { accessToken: token, sessionId } = await tokens.issue(user, TOKEN_MS)
      logins.push({ userId, sessionId, token })
    }
    return logins
  },
  async revoke(revocations) {
    const beganMs: number[] = []
    for (const revocation of revocations) {
      beganMs.push(sharedMs())
      await bridge.revoke(revocation)
      // Each in a turn of its own, as they come over a network.
      await new Promise((resolve) => setImmediate(resolve))
    }
    return beganMs
  },
}
answer(answers)
