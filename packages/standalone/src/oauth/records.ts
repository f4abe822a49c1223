import { createHmac } from 'node:crypto'
import type { System } from '@bridgekeeper/bridge'
import { seal, unseal } from '@bridgekeeper/bridge/parts'
import { type Adapter, type AdapterPayload, errors } from 'oidc-provider'
import { GRACE_MS } from '../browser/browser-sessions.ts'
import type { OAuthRecord, OAuthStore } from '../ports.ts'

const DAY_MS = 86_400_000
/** A registered client that no user has approved yet. */
export const UNUSED_CLIENT_MS = 3 * DAY_MS
/** From its last approval on: it outlives that, and then has to register again. */
const CLIENT_MS = 180 * DAY_MS

/**
 * Limit of records of each kind that anyone can add without a login; those that expire soonest are evicted.
 * `OAuthLimits` bounds each address, so reaching it takes many addresses.
 */
export const MOST: Readonly<
  Record<'Client' | 'Interaction' | 'DeviceCode' | 'Session' | 'ReplayDetection', number>
> = {
  Client: 10_000,
  Interaction: 10_000,
  DeviceCode: 10_000,
  Session: 10_000,
  ReplayDetection: 50_000,
}
/** The surplus is removed once in so many additions. */
const ADDITIONS_PER_TRIM = 100
/** Refresh tokens of one grant: the live one, and used ones whose copies are still detected. */
export const MOST_REFRESH_TOKENS = 21
export const MAX_CLIENT_BYTES = 8_192
export const MAX_RECORD_BYTES = 16_384

export interface RecordParts {
  readonly store: OAuthStore
  /** 32 bytes, derived from the installation's secret. */
  readonly key: Uint8Array
  readonly system: System
  /** Called when a grant and its tokens are deleted, to end its session. */
  readonly grantEnded: (grantId: string) => Promise<void>
}

/**
 * [OAUTH.3] Records of one kind in the authorization server: grants, codes, tokens, clients. A reader of the
 * store finds no token: records are sealed, and found by keyed hashes.
 */
export class Records implements Adapter {
  readonly #model: string
  readonly #parts: RecordParts
  #additions = 0

  constructor(model: string, parts: RecordParts) {
    this.#model = model
    this.#parts = parts
  }

  /** @throws errors.InvalidClientMetadata, errors.InvalidRequest for a record that is too large */
  async upsert(id: string, payload: AdapterPayload, expiresInSeconds?: number): Promise<void> {
    const { store, key, system } = this.#parts
    const text = JSON.stringify(payload)
    this.#checkSize(text)
    const { userCode, uid } = payload
    // A grant belongs to the session of its name, like its tokens.
    const grantId = this.#model === 'Grant' ? id : payload.grantId
    const hashedId = this.#hashed(id)
    const lifetimeMs = expiresInSeconds === undefined ? UNUSED_CLIENT_MS : expiresInSeconds * 1_000
    await store.put({
      model: this.#model,
      id: hashedId,
      payload: { sealed: seal(key, this.#name(hashedId), text, system) },
      // Not hashed: it is the id of the session that a user sees and ends.
      ...(grantId !== undefined && { grantId }),
      ...(userCode !== undefined && { userCode: this.#hashed(userCode) }),
      ...(uid !== undefined && { uid: this.#hashed(uid) }),
      expiresAtMs: system.nowMs() + lifetimeMs,
    })
    await this.#trim(grantId)
    if (this.#model === 'Grant') await this.#clientIsUsed(payload.clientId)
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    return this.#open(await this.#parts.store.find(this.#model, this.#hashed(id)))
  }

  async findByUserCode(userCode: string): Promise<AdapterPayload | undefined> {
    return this.#open(await this.#parts.store.findByUserCode(this.#model, this.#hashed(userCode)))
  }

  async findByUid(uid: string): Promise<AdapterPayload | undefined> {
    return this.#open(await this.#parts.store.findByUid(this.#model, this.#hashed(uid)))
  }

  /** [OAUTH.4] If a code or refresh token is used twice, one user is a thief: both lose access. */
  async consume(id: string): Promise<void> {
    const { store, system } = this.#parts
    const hashedId = this.#hashed(id)
    if (await store.consume(this.#model, hashedId, system.nowMs())) return
    const record = await store.find(this.#model, hashedId)
    if (record !== undefined && this.#isInGrace(record)) return
    if (record?.grantId !== undefined) await this.#endGrant(record.grantId)
    throw new errors.InvalidGrant('it was used already')
  }

  async destroy(id: string): Promise<void> {
    await this.#parts.store.remove(this.#model, this.#hashed(id))
    if (this.#model === 'Grant') await this.#endGrant(id)
  }

  async revokeByGrantId(grantId: string): Promise<void> {
    await this.#parts.store.removeGrant(grantId)
  }

  #checkSize(text: string): void {
    const sizeBytes = Buffer.byteLength(text)
    if (this.#model === 'Client' && sizeBytes > MAX_CLIENT_BYTES)
      throw new errors.InvalidClientMetadata(`a client's metadata may have ${MAX_CLIENT_BYTES} bytes`)
    if (sizeBytes > MAX_RECORD_BYTES) throw new errors.InvalidRequest('the request is too large')
  }

  /** [OAUTH.24] Never rejects: the record is stored, and the next trim removes what this one has left. */
  async #trim(grantId: string | undefined): Promise<void> {
    const { store } = this.#parts
    const ignore = (): void => {}
    if (this.#model === 'RefreshToken')
      await store.trim(this.#model, MOST_REFRESH_TOKENS, grantId).catch(ignore)
    const most = isBounded(this.#model) ? MOST[this.#model] : undefined
    if (most !== undefined && this.#additions++ % ADDITIONS_PER_TRIM === 0)
      await store.trim(this.#model, most).catch(ignore)
  }

  /** A grant is an approval: its client is kept for as long as approved ones are. */
  async #clientIsUsed(clientId: string | undefined): Promise<void> {
    const { store, key, system } = this.#parts
    if (clientId !== undefined)
      await store.extend('Client', hashed(key, 'Client', clientId), system.nowMs() + CLIENT_MS)
  }

  async #endGrant(grantId: string): Promise<void> {
    await removeGrant(this.#parts, grantId)
    await this.#parts.grantEnded(grantId)
  }

  #open(record: OAuthRecord | undefined): AdapterPayload | undefined {
    const sealed = record?.payload.sealed
    if (record === undefined || typeof sealed !== 'string') return undefined
    const text = unseal(this.#parts.key, this.#name(record.id), sealed)
    if (text === undefined) return undefined
    const payload = JSON.parse(text) as AdapterPayload
    if (record.consumedAtMs === undefined || this.#isInGrace(record)) return payload
    return { ...payload, consumed: Math.floor(record.consumedAtMs / 1_000) }
  }

  /** [OAUTH.27] Whether a used refresh token is answered once more: see `chainRefreshTokens`. */
  #isInGrace({ consumedAtMs }: OAuthRecord): boolean {
    if (this.#model !== 'RefreshToken' || consumedAtMs === undefined) return false
    return this.#parts.system.nowMs() - consumedAtMs <= GRACE_MS
  }

  /**
   * Hashes codes and tokens: a copy of the store reveals none, and short user codes cannot be found by
   * trying.
   */
  #hashed(value: string): string {
    return hashed(this.#parts.key, this.#model, value)
  }

  #name(hashedId: string): string {
    return `oauth ${this.#model} ${hashedId}`
  }
}

/** A grant, with all codes and tokens of it. */
async function removeGrant({ store, key }: RecordParts, grantId: string): Promise<void> {
  await store.remove('Grant', hashed(key, 'Grant', grantId))
  await store.removeGrant(grantId)
}

function hashed(key: Uint8Array, model: string, value: string): string {
  return createHmac('sha256', key).update(`${model} ${value}`).digest('base64url')
}

function isBounded(model: string): model is keyof typeof MOST {
  return Object.hasOwn(MOST, model)
}
