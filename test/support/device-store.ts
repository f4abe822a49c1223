import { type DeviceStore, realSystem } from '@bridgekeeper/bridge'
import { openSqliteStores } from '@bridgekeeper/standalone/testing'
import { onTestFinished } from 'vitest'

/** The store that a node has, in memory. */
export async function sqliteDevices(): Promise<DeviceStore> {
  const stores = await openSqliteStores(':memory:', realSystem())
  onTestFinished(() => stores.close())
  return stores.devices
}
