import type { Device, DeviceKey, DeviceStore } from '@bridgekeeper/bridge'

interface Row {
  device: Device
  last: string
  before: string
}

/** Devices in memory, by the port's contract. */
export class MemoryDevices implements DeviceStore {
  readonly #rows = new Map<string, Row>()
  readonly #users = new Set<string>()
  readonly #keyIds = new Set<string>()

  async add(device: Device): Promise<boolean> {
    if (device.keys.some(({ keyId }) => this.#keyIds.has(keyId))) return false
    for (const { keyId } of device.keys) this.#keyIds.add(keyId)
    this.#users.add(device.userId)
    this.#rows.set(device.deviceId, { device, last: '', before: '' })
    return true
  }

  async find(deviceId: string): Promise<Device | undefined> {
    return this.#rows.get(deviceId)?.device
  }

  async ofUser(userId: string): Promise<readonly Device[]> {
    return [...this.#rows.values()].map(({ device }) => device).filter((device) => device.userId === userId)
  }

  async hasEnrolled(userId: string): Promise<boolean> {
    return this.#users.has(userId)
  }

  async rotate(deviceId: string, key: DeviceKey, oldRetiresAtMs: number): Promise<boolean> {
    const row = this.#rows.get(deviceId)
    const [current] = row?.device.keys ?? []
    if (row === undefined || current === undefined || this.#keyIds.has(key.keyId)) return false
    if (key.generation !== current.generation + 1) return false
    this.#keyIds.add(key.keyId)
    const keys = [key, { ...current, retiresAtMs: oldRetiresAtMs }, ...row.device.keys.slice(1)]
    row.device = { ...row.device, keys }
    return true
  }

  async connected(
    deviceId: string,
    connectionId: string,
    previous: string,
  ): Promise<'continued' | 'diverged' | 'unknown'> {
    const row = this.#rows.get(deviceId)
    if (row === undefined) return 'unknown'
    if (previous !== row.last && previous !== row.before) return 'diverged'
    row.before = previous
    row.last = connectionId
    return 'continued'
  }

  async revoke(deviceId: string): Promise<boolean> {
    return this.#rows.delete(deviceId)
  }
}
