import { createHash } from 'node:crypto'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isObject, parseJson } from '@bridgekeeper/protocol'
import { AgentError } from '../errors.ts'
import type { System } from '../system.ts'
import { type AgentLock, lockAgent, type RunningAgent } from './agent-lock.ts'
import { type DeviceKey, deviceKey, makePrivateJwk, type PrivateJwk, privateJwkSchema } from './device-key.ts'
import { withLock } from './file-lock.ts'
import { type OsKeyStore, osKeyStore } from './os-key-store.ts'
import {
  isDraft,
  privateFolder,
  readPrivate,
  removeDraft,
  removePrivate,
  unusable,
  writePrivate,
} from './private-file.ts'
import { type BridgeRecord, keysOf, parseRecord, recordText, type StoredKey } from './record.ts'

/** `auto` uses the operating system's key store if there is one, and otherwise a file. */
export const KEY_STORE_CHOICES = ['auto', 'os', 'file'] as const
export type KeyStoreChoice = (typeof KEY_STORE_CHOICES)[number]

export interface KeychainOptions {
  /** From `agentHome`. */
  readonly home: string
  readonly keyStore: KeyStoreChoice
  readonly system: System
}

/** A record that cannot be used, and why. */
export interface UnusableRecord {
  readonly path: string
  readonly problem: AgentError
}

const FOLDER = 'bridges'
const RUNNING_FOLDER = 'running'
const SESSIONS_FOLDER = 'sessions'
const SUFFIX = '.json'
const LOCK_FILE = 'keychain.lock'
const HOST_CHARS = 60
const DRAFT_MS = 60_000

/**
 * [KEYCHAIN.1] Records of the bridges at which this machine is enrolled, with their keys. Several processes
 * may use it at once. An unusable record is reported and left unchanged.
 */
export class Keychain {
  readonly #folder: string
  readonly #home: string
  readonly #keyStore: KeyStoreChoice
  readonly #system: System

  constructor({ home, keyStore, system }: KeychainOptions) {
    this.#home = home
    this.#folder = join(home, FOLDER)
    this.#keyStore = keyStore
    this.#system = system
  }

  /** @throws AgentError `keychain_…` */
  async find(bridge: string): Promise<BridgeRecord | undefined> {
    await this.#open()
    return this.#read(this.#recordPath(bridge), bridge)
  }

  /** Every record. @throws AgentError `keychain_…` when the folder cannot be used */
  async list(): Promise<readonly (BridgeRecord | UnusableRecord)[]> {
    await this.#open()
    const records = (await this.#names()).filter((name) => name.endsWith(SUFFIX))
    return Promise.all(records.sort().map((name) => this.#readOrTell(join(this.#folder, name))))
  }

  /**
   * Changes or creates a record, and destroys the keys that it no longer names. Processes take turns, and
   * each sees the changes of the one before.
   * @param change gets the current record and returns the new one
   * @throws AgentError `keychain_…`
   */
  async update<T extends BridgeRecord>(
    bridge: string,
    change: (current: BridgeRecord | undefined) => T,
  ): Promise<T> {
    await this.#open()
    const path = this.#recordPath(bridge)
    return this.#locked(async () => {
      const current = await this.#read(path, bridge)
      const next = change(current)
      if (next === current) return next
      await writePrivate(path, recordText(next))
      const kept = new Set(keysOf(next).map(({ keyId }) => keyId))
      await this.#destroy(keysIn(current).filter(({ keyId }) => !kept.has(keyId)))
      return next
    })
  }

  /** Forgets the bridge and destroys its keys. @returns whether it was known @throws AgentError `keychain_…` */
  async remove(bridge: string): Promise<boolean> {
    await this.#open()
    const path = this.#recordPath(bridge)
    return this.#locked(async () => {
      const current = await this.#read(path, bridge)
      if (current === undefined) return false
      await this.#destroy(keysOf(current))
      await removePrivate(path)
      await rm(this.sessionFile(bridge), { force: true })
      return true
    })
  }

  /**
   * Makes a key and stores its private half. The caller stores the returned value in a record.
   * @throws AgentError `key_store_unavailable`
   */
  async makeKey(): Promise<StoredKey> {
    const jwk = makePrivateJwk()
    const { keyId } = deviceKey(jwk)
    if (this.#keyStore !== 'file' && (await this.#keepInOs(keyId, jwk))) return { keyId, keyStore: 'os' }
    return { keyId, keyStore: 'file', privateKey: jwk }
  }

  /**
   * [KEYCHAIN.9] Lets one agent at a time run for a bridge, on this machine with these keys.
   * @throws AgentError `keychain_…`
   */
  async lockAgent(bridge: string, own: RunningAgent): Promise<AgentLock> {
    const folder = join(this.#home, RUNNING_FOLDER)
    await privateFolder(this.#home)
    await privateFolder(folder)
    return lockAgent(this.#system, join(folder, nameOf(bridge)), own)
  }

  /** Destroys a new key that is in no record. */
  async discard(stored: StoredKey): Promise<void> {
    await this.#destroy([stored])
  }

  /** @throws AgentError `device_key_missing`, `key_store_unavailable`, `keychain_corrupt` */
  async key(stored: StoredKey): Promise<DeviceKey> {
    const jwk = stored.privateKey ?? (await this.#fromOs(stored.keyId))
    const key = keyOf(jwk)
    if (key?.keyId !== stored.keyId) throw new AgentError('keychain_corrupt', `The key ${stored.keyId}.`)
    return key
  }

  async #keepInOs(keyId: string, jwk: PrivateJwk): Promise<boolean> {
    try {
      const store = await osKeyStore(this.#system)
      const secret = JSON.stringify(jwk)
      await store.set(keyId, secret)
      // A store that accepts a secret but does not return it would lock this machine out later.
      if ((await store.get(keyId)) === secret) return true
    } catch (error) {
      if (this.#keyStore === 'os') throw error
      return false
    }
    if (this.#keyStore === 'os') throw new AgentError('key_store_unavailable', 'It does not keep secrets.')
    return false
  }

  async #fromOs(keyId: string): Promise<unknown> {
    const secret = await (await osKeyStore(this.#system)).get(keyId)
    if (secret === undefined) throw new AgentError('device_key_missing')
    return parseJson(secret)?.value
  }

  /** A key that cannot be destroyed is useless once the bridge has forgotten it. */
  async #destroy(keys: readonly StoredKey[]): Promise<void> {
    for (const { keyId, keyStore } of keys) {
      if (keyStore !== 'os') continue
      await osKeyStore(this.#system)
        .then((store: OsKeyStore) => store.remove(keyId))
        .catch(() => {})
    }
  }

  async #read(path: string, bridge?: string): Promise<BridgeRecord | undefined> {
    const content = await readPrivate(path)
    if (content === undefined) return undefined
    const record = parseRecord(content)
    if (record === 'newer') throw new AgentError('keychain_newer', path)
    // A record of another bridge at this path was put there by hand.
    if (record === 'corrupt' || (bridge !== undefined && record.bridge !== bridge))
      throw new AgentError('keychain_corrupt', path)
    return record
  }

  async #readOrTell(path: string): Promise<BridgeRecord | UnusableRecord> {
    try {
      const record = await this.#read(path)
      if (record !== undefined && this.#recordPath(record.bridge) === path) return record
      throw new AgentError('keychain_corrupt', path)
    } catch (error) {
      if (error instanceof AgentError) return { path, problem: error }
      throw error
    }
  }

  /** Takes the lock of all records: changes take milliseconds, and a removed record leaves no lock file. */
  #locked<T>(run: () => Promise<T>): Promise<T> {
    return withLock(this.#system, join(this.#home, LOCK_FILE), run)
  }

  /** Ensures that the folders exist and are ours, and removes drafts of killed writes. */
  async #open(): Promise<void> {
    await privateFolder(this.#home)
    await privateFolder(this.#folder)
    const olderThanMs = this.#system.nowMs() - DRAFT_MS
    for (const name of (await this.#names()).filter(isDraft))
      await removeDraft(this.#folder, name, olderThanMs)
  }

  async #names(): Promise<string[]> {
    try {
      return await readdir(this.#folder)
    } catch (error) {
      throw unusable(this.#folder, error instanceof Error ? error.message : String(error), error)
    }
  }

  /** File of the MCP sessions of an agent that has the lock of this bridge. */
  sessionFile(bridge: string): string {
    return join(this.#home, SESSIONS_FOLDER, nameOf(bridge) + SUFFIX)
  }

  #recordPath(bridge: string): string {
    return join(this.#folder, nameOf(bridge) + SUFFIX)
  }
}

/** A name that a person recognises, and a hash that makes it the name of this bridge alone. */
function nameOf(bridge: string): string {
  const host = new URL(bridge).hostname.replaceAll(/[^\w.-]/g, '_').slice(0, HOST_CHARS)
  const hash = createHash('sha256').update(bridge).digest('hex').slice(0, 16)
  return `${host}-${hash}`
}

function keysIn(record: BridgeRecord | undefined): readonly StoredKey[] {
  return record === undefined ? [] : keysOf(record)
}

function keyOf(jwk: unknown): DeviceKey | undefined {
  const parsed = isObject(jwk) ? privateJwkSchema.safeParse(jwk) : undefined
  if (parsed?.success !== true) return undefined
  try {
    return deviceKey(parsed.data)
  } catch {
    return undefined
  }
}
