import { DEVICE_PATHS } from '@bridgekeeper/protocol'
import { AgentError } from '../errors.ts'
import type { DeviceKey } from '../keychain/device-key.ts'
import type { Keychain } from '../keychain/keychain.ts'
import type { EnrolledRecord, StoredKey } from '../keychain/record.ts'
import type { DeviceIdentity } from '../link/device-identity.ts'
import type { System } from '../system.ts'
import { type Answer, ask, Unreachable } from './ask.ts'
import { BridgeClock } from './bridge-clock.ts'
import { refusal, refusalCode } from './refusal.ts'
import { assertion, keyProof, rotation } from './signed.ts'

/** A key is replaced after this long. */
const MAX_KEY_AGE_MS = 180 * 86_400_000
/** A token is replaced this long before its end. */
const AHEAD_MS = 120_000

/**
 * An enrolled machine's login: exchanges signed assertions for tokens, gives the link its identity, and
 * rotates the key. Reads its record each time, because another process may have changed it.
 */
export class DeviceLogin {
  readonly #keychain: Keychain
  readonly #bridge: string
  readonly #system: System
  readonly #signal: AbortSignal
  readonly #clock: BridgeClock
  #token: { readonly text: string; readonly keyId: string; readonly untilMs: number } | undefined

  /** @param signal aborts every request */
  constructor(keychain: Keychain, bridge: string, system: System, signal: AbortSignal) {
    this.#keychain = keychain
    this.#bridge = bridge
    this.#system = system
    this.#signal = signal
    this.#clock = new BridgeClock(system)
  }

  /**
   * A valid token for the current key. Rotates the key if due.
   * @param spent a token that the bridge no longer accepts
   * @throws AgentError `device_unknown`, `login_revoked` and other final refusals; Unreachable for a retry
   */
  async token(spent?: string): Promise<string> {
    const record = await this.#settled(await this.#record())
    const known = this.#token
    const isGood = known?.keyId === record.keyId && known.untilMs > this.#system.monotonicMs()
    if (known !== undefined && isGood && known.text !== spent) return known.text
    const isOld = this.#system.nowMs() - record.madeAtMs > MAX_KEY_AGE_MS
    return this.#freshToken(isOld ? await this.#rotatedIfPossible(record) : record)
  }

  /** The identity that the link proves, read for each connection. @throws AgentError */
  async identity(): Promise<DeviceIdentity> {
    const record = await this.#record()
    const key = await this.#keychain.key(record)
    const { deviceId, userId, sessionId, keyId, generation, previous, bridgeKey } = record
    return {
      ...{ deviceId, userId, sessionId, keyId, generation, previous },
      bridgeKeys: [bridgeKey],
      sign: (bytes) => key.sign(bytes),
      remember: async (connectionId) => {
        await this.#change((current) => ({ ...current, previous: connectionId }))
      },
    }
  }

  /**
   * [LINKUP.5] Rotates the key. Stores the new one before the bridge learns of it, and promotes it once the
   * bridge accepted it, so that an interruption at any point can be resumed.
   * @throws AgentError, Unreachable
   */
  async rotate(): Promise<EnrolledRecord> {
    const stored = await this.#keychain.makeKey()
    const record = await this.#change((current) =>
      current.next === undefined ? { ...current, next: stored } : current,
    )
    if (record.next?.keyId !== stored.keyId) await this.#keychain.discard(stored)
    return this.#settled(record)
  }

  /** The record without an open question: of a rotation that was begun, by us or by another process, the end. */
  async #settled(record: EnrolledRecord): Promise<EnrolledRecord> {
    const { next } = record
    if (next === undefined) return record
    if (await this.#isTaken(next, record)) return this.#promote(next)
    const answer = await this.#sendRotation(record, next)
    if (answer.status === 200) return this.#promote(next)
    if (answer.status !== 409) throw refusal(answer)
    // Another process sent the same rotation first.
    if (await this.#isTaken(next, record)) return this.#promote(next)
    return this.#change((current) =>
      current.next?.keyId === next.keyId ? { ...current, next: undefined } : current,
    )
  }

  /** Whether the bridge issues a token for this key, and so has enrolled it. */
  async #isTaken(stored: StoredKey, record: EnrolledRecord): Promise<boolean> {
    const answer = await this.#askToken(await this.#keychain.key(stored), record)
    if (answer.status === 200) this.#keep(answer, stored.keyId)
    else if (refusalCode(answer) !== 'device_unknown') throw refusal(answer)
    return answer.status === 200
  }

  /** If the bridge does not rotate now, the current key stays, and the next call retries. */
  async #rotatedIfPossible(record: EnrolledRecord): Promise<EnrolledRecord> {
    try {
      return await this.rotate()
    } catch (error) {
      if (error instanceof Unreachable) return record
      throw error
    }
  }

  async #freshToken(record: EnrolledRecord): Promise<string> {
    const answer = await this.#askToken(await this.#keychain.key(record), record)
    if (answer.status !== 200) throw refusal(answer)
    return this.#keep(answer, record.keyId)
  }

  #askToken(key: DeviceKey, { deviceId }: EnrolledRecord): Promise<Answer> {
    return this.#clock.ask((nowMs) => {
      const json = { assertion: assertion(key, deviceId, { bridge: this.#bridge, nowMs }) }
      return ask(this.#system, this.#bridge + DEVICE_PATHS.token, { json }, this.#signal)
    })
  }

  async #sendRotation(record: EnrolledRecord, stored: StoredKey): Promise<Answer> {
    const [key, nextKey] = await Promise.all([this.#keychain.key(record), this.#keychain.key(stored)])
    const next = { key: nextKey, generation: record.generation + 1 }
    return this.#clock.ask((nowMs) => {
      const about = { bridge: this.#bridge, nowMs }
      const statement = rotation(key, record.deviceId, next, about)
      const json = { assertion: statement, proof: keyProof(nextKey, DEVICE_PATHS.rotate, statement, about) }
      return ask(this.#system, this.#bridge + DEVICE_PATHS.rotate, { json }, this.#signal)
    })
  }

  #keep({ body }: Answer, keyId: string): string {
    const { access_token: text, expires_in: seconds } = body
    if (typeof text !== 'string' || typeof seconds !== 'number')
      throw new AgentError(
        'answer_unusable',
        'It answered the request for a token with missing or invalid fields.',
      )
    // Half the life of a short-lived token.
    const usableMs = Math.max(seconds * 1_000 - AHEAD_MS, seconds * 500)
    this.#token = { text, keyId, untilMs: this.#system.monotonicMs() + usableMs }
    return text
  }

  /** Makes the next key, which the bridge has accepted, the current one, and destroys the previous one. */
  #promote(stored: StoredKey): Promise<EnrolledRecord> {
    return this.#change((current) => {
      if (current.next?.keyId !== stored.keyId) return current
      const { next: _next, privateKey: _old, ...rest } = current
      const { keyId, keyStore, privateKey } = stored
      const generation = current.generation + 1
      const madeAtMs = this.#system.nowMs()
      return {
        ...rest,
        keyId,
        keyStore,
        ...(privateKey !== undefined && { privateKey }),
        generation,
        madeAtMs,
      }
    })
  }

  async #record(): Promise<EnrolledRecord> {
    const record = await this.#keychain.find(this.#bridge)
    if (record?.state === 'enrolled') return record
    throw new AgentError('not_enrolled')
  }

  #change(change: (current: EnrolledRecord) => EnrolledRecord): Promise<EnrolledRecord> {
    return this.#keychain.update(this.#bridge, (current) => {
      if (current?.state === 'enrolled') return change(current)
      throw new AgentError('not_enrolled')
    })
  }
}
