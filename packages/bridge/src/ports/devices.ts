/** Ports of enrolled devices. Durable; every method is atomic and rejects while the store is down. */

export const DEVICE_ALGORITHMS = ['Ed25519', 'ES256'] as const

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
  /** A replaced key is good until then; `undefined` for the current one. */
  readonly retiresAtMs?: number | undefined
}

/** One enrolled machine of a user. */
export interface Device {
  readonly deviceId: string
  readonly userId: string
  /** The session of its logins. */
  readonly sessionId: string
  /** As its user named it. */
  readonly name: string
  /** The current one first, and those that are replaced and still good. */
  readonly keys: readonly DeviceKey[]
  readonly createdAtMs: number
  readonly usedAtMs: number
}

/**
 * Enrolled devices. A revoked one is found by nobody, but its keys are remembered, the latest 1,024 of each user at
 * least: none of them is enrolled again, and its user counts as one who has devices.
 */
export interface DeviceStore {
  /** @returns whether it was added: not where one of its keys is or was any device's */
  add(device: Device): Promise<boolean>
  find(deviceId: string): Promise<Device | undefined>
  ofUser(userId: string): Promise<readonly Device[]>
  /** Whether the user has or ever had a device. */
  hasEnrolled(userId: string): Promise<boolean>
  /** Makes the key the current one, where it is of the next generation; the one before is good until then. */
  rotate(deviceId: string, key: DeviceKey, oldRetiresAtMs: number): Promise<boolean>
  /**
   * A connection was verified. The device says which was its last one before, as it remembers. One that was
   * interrupted may not have heard of its last; one that remembers neither the last nor the one that was last
   * before it is a copy.
   * @param previous connection id, empty for none
   */
  connected(
    deviceId: string,
    connectionId: string,
    previous: string,
    atMs: number,
  ): Promise<'continued' | 'diverged' | 'unknown'>
  /** Ends its session with it. @returns whether it was there */
  revoke(deviceId: string, atMs: number): Promise<boolean>
}
