import type { Device } from '@bridgekeeper/bridge'
import { SetupError } from '../config/setup-error.ts'
import type { Actor } from '../ports.ts'
import { type OfUser, ofUsers } from './of-users.ts'
import type { OperationParts } from './parts.ts'
import type { UserOperations } from './users.ts'

/** Actions on enrolled machines. */
export class DeviceOperations {
  readonly #parts: OperationParts
  readonly #users: UserOperations

  constructor(parts: OperationParts, users: UserOperations) {
    this.#parts = parts
    this.#users = users
  }

  /** Lists the enrolled machines of one user or of all. @throws SetupError `user_unknown` */
  list(email?: string): Promise<readonly OfUser<Device>[]> {
    return ofUsers(this.#users, email, (userId) => this.#parts.devices.ofUser(userId))
  }

  /** @throws SetupError `device_unknown` */
  async find(deviceId: string): Promise<Device> {
    const device = await this.#parts.devices.find(deviceId)
    if (device !== undefined) return device
    throw new SetupError(
      'device_unknown',
      `No machine with the id ${JSON.stringify(deviceId)} is enrolled.`,
      'List the machines: bridgekeeper devices',
    )
  }

  /** Revokes a machine: ends its login, closes its connections, and bars its key for ever. */
  async revoke(device: Device, actor: Actor): Promise<Device> {
    const { devices, revoke, log, system } = this.#parts
    const { userId, deviceId } = device
    // If two revocations compete, only the first is recorded.
    if (await devices.revoke(deviceId, system.nowMs()))
      await log.logSecurityEvent({ event: 'device_revoked', userId, deviceId, ...actor })
    await revoke({ kind: 'device', id: deviceId })
    return device
  }
}
