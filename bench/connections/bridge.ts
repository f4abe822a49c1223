/** The bridge as an app embeds it, every check on, with as many users as there are to be connections. */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Authenticator,
  createBridge,
  createTokens,
  memoryUsers,
  type Revocation,
  realSystem,
  type User,
} from '@bridgekeeper/bridge'
import { canonicalJson, thumbprint } from '@bridgekeeper/protocol'
import { createSecurityLog } from '@bridgekeeper/standalone'
import { MemoryDevices } from '../../test/support/memory-devices.ts'
import { answer } from './answer.ts'
import type { Device, Login } from './crowd.ts'
import { listenerOf, listening } from './listener.ts'
import { type ServerAnswers, serverAnswers, sharedMs } from './usage.ts'

export interface BridgeAnswers extends ServerAnswers {
  port(argument: undefined): number
  /** New logins, of a user each; and of a machine each, where they are to prove its key. */
  logins(asked: { readonly count: number; readonly proving: boolean }): Promise<readonly Login[]>
  /** Revokes them one after the other. @returns when each revocation began */
  revoke(revocations: readonly Revocation[]): Promise<readonly number[]>
}

const TOKEN_MS = 3_600_000
const SECRET_BYTES = 32

const system = realSystem()
const { BENCH_SECRET } = process.env
const secret = BENCH_SECRET === undefined ? randomBytes(SECRET_BYTES) : Buffer.from(BENCH_SECRET, 'hex')
// Everybody is a user, and none is kept: what a store of users would take is not a connection's.
const tokens = createTokens(secret, { ...memoryUsers([]), findById: async (userId) => user(userId) }, system)
const folder = mkdtempSync(join(tmpdir(), 'bridgekeeper-bench-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
const server = listenerOf()
/** Device of each session. In memory, since the cost of a database is not measured here. */
const machines = new Map<string, string>()
const devices = new MemoryDevices()
const authenticator: Authenticator = {
  recall: () => undefined,
  async authenticate(token) {
    const verified = await tokens.authenticate(token)
    const deviceId = verified.allowed ? machines.get(verified.value.sessionId) : undefined
    return verified.allowed && deviceId !== undefined
      ? { allowed: true, value: { ...verified.value, deviceId } }
      : verified
  },
}
const bridge = createBridge({
  authenticator,
  proof: { devices, key: generateKeyPairSync('ed25519').privateKey },
  securityLog: createSecurityLog({ folder, key: randomBytes(SECRET_BYTES), system }),
  system,
})
bridge.attach(server)
const port = await listening(server)
let made = 0

function user(userId: string): User {
  return { userId, email: `${userId}@example.com`, tokenVersion: 0, state: 'active', createdAtMs: 0 }
}

/** A machine with its own key. */
async function enrolled({ userId, sessionId }: Login): Promise<Device> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const jwk = publicKey.export({ format: 'jwk' })
  const keyId = thumbprint(jwk)
  const deviceId = `machine_${sessionId}`
  machines.set(sessionId, deviceId)
  const key = { keyId, algorithm: 'Ed25519', generation: 1, jwk: canonicalJson(jwk) } as const
  const times = { createdAtMs: 0, usedAtMs: 0 }
  await devices.add({ deviceId, userId, sessionId, name: 'a machine', keys: [key], ...times })
  return { deviceId, keyId, privateKey: privateKey.export({ format: 'jwk' }) }
}

const answers: BridgeAnswers = {
  ...serverAnswers,
  port: () => port,
  async logins({ count, proving }) {
    const logins: Login[] = []
    for (let n = 0; n < count; n++) {
      const userId = `user_${made++}`
      const { accessToken: token, sessionId } = await tokens.issue(user(userId), TOKEN_MS)
      const login = { userId, sessionId, token }
      logins.push(proving ? { ...login, device: await enrolled(login) } : login)
    }
    return logins
  },
  async revoke(revocations) {
    const beganMs: number[] = []
    for (const revocation of revocations) {
      beganMs.push(sharedMs())
      await bridge.revoke(revocation)
      // Opens each in a separate turn, as they would arrive over a network.
      await new Promise((resolve) => setImmediate(resolve))
    }
    return beganMs
  },
}
answer(answers)
