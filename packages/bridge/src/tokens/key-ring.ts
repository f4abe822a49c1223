import type { System } from '../ports.ts'
import { seal, unseal } from './sealed.ts'

/** Length of an AES-256 key. */
const KEY_BYTES = 32

/** Keys of which the first seals and each opens, so that a key can be replaced while sealed values are in use. */
export class KeyRing {
  readonly #keys: readonly [Uint8Array, ...Uint8Array[]]
  readonly #system: System

  /**
   * @param keys without any, a random one
   * @throws TypeError if a key has another length than 32 bytes
   */
  constructor(keys: readonly Uint8Array[] = [], system: System) {
    for (const { length } of keys)
      if (length !== KEY_BYTES)
        throw new TypeError(`Each of sessionKeys must have ${KEY_BYTES} bytes, got ${length}.`)
    const [first = Buffer.from(system.randomBytes(KEY_BYTES)), ...older] = keys
    this.#keys = [first, ...older]
    this.#system = system
  }

  seal(name: string, value: string): string {
    return seal(this.#keys[0], name, value, this.#system)
  }

  /** @returns `undefined` if the value was changed, or sealed with another key or name */
  unseal(name: string, sealed: string): string | undefined {
    for (const key of this.#keys) {
      const value = unseal(key, name, sealed)
      if (value !== undefined) return value
    }
    return undefined
  }
}
