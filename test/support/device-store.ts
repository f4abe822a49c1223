import { type DeviceStore, realSystem } from '@bridgekeeper/server'
import { onTestFinished } from 'vitest'
import { openSqliteStores } from '../../packages/server/src/adapters/sql/open.ts'

/** The store that a node has, in memory. */
export async function sqliteDevices(): Promise<DeviceStore> {
  const stores = await openSqliteStores(':memory:', realSystem())
  onTestFinished(() => stores.close())
  return stores.devices
}
