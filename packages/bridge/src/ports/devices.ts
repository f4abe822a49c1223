/** Ports of enrolled devices. Durable; every method is atomic and rejects while the store is down. */

const DEVICE_ALGORITHMS = ['Ed25519', 'ES256'] as const

export type DeviceAlgorithm = (typeof DEVICE_ALGORITHMS)[number]

/** The public half of a device's key. */
export interface DeviceKey {
  /** JWK thumbprint (RFC 7638), base64url of SHA-256. */
  readonly keyId: string
  readonly algorithm: DeviceAlgorithm
  /** 1 for the first, one more for each rotation. */
  readonly generation: number
  /** The public key as a JWK (RFC 7517), canonical JSON. */
  readonly jwk: string
  /** End of the overlap in which a replaced key still works; `undefined` for the current key. */
  readonly retiresAtMs?: number | undefined
}

/** An enrolled machine of a user. */
export interface Device {
  readonly deviceId: string
  readonly userId: string
  /** The device's login session. */
  readonly sessionId: string
  /** Name that its user gave it. */
  readonly name: string
  /** The current key first, then replaced keys that still work. */
  readonly keys: readonly DeviceKey[]
  readonly createdAtMs: number
  readonly usedAtMs: number
}

/**
 * Enrolled devices. A revoked device is never found again. Its keys stay known, at least the latest 1,024 of
 * each user: they cannot be enrolled again, and the user still counts as having devices.
 */
export interface DeviceStore {
  /** @returns `false` if one of its keys is or ever was a device's */
  add(device: Device): Promise<boolean>
  find(deviceId: string): Promise<Device | undefined>
  ofUser(userId: string): Promise<readonly Device[]>
  /** Whether the user has or ever had a device. */
  hasEnrolled(userId: string): Promise<boolean>
  /**
   * Sets the current key if this one is of the next generation. The previous key works until
   * `oldRetiresAtMs`.
   */
  rotate(deviceId: string, key: DeviceKey, oldRetiresAtMs: number): Promise<boolean>
  /**
   * Records a verified connection and compares the last connection that the device claims. An interrupted
   * device may have missed its newest one; a device that names neither of the last two is a copy.
   * @param previous connection id; empty if none
   */
  connected(
    deviceId: string,
    connectionId: string,
    previous: string,
    atMs: number,
  ): Promise<'continued' | 'diverged' | 'unknown'>
  /** Revokes the device, ends its session, and publishes as `SessionStore.end` does. @returns whether it existed */
  revoke(deviceId: string, atMs: number): Promise<boolean>
}
