import type { Device } from '@bridgekeeper/bridge'
import type { OfUser } from '@bridgekeeper/standalone'
import type { Command } from 'commander'
import type { Printed } from '../json/shapes.ts'
import { listCommand, printRows } from '../listing.ts'
import { iso } from '../moment.ts'
import { printAs } from '../output.ts'
import { withData } from '../with-data.ts'

/** `bridgekeeper devices [EMAIL]`: lists enrolled machines. */
export function devicesCommand(): Command {
  return listCommand('devices', 'enrolled machines, of one user or of all', async (email, options) => {
    const found = await withData(options, ({ operations }) => operations.devices.list(email))
    const printed = found.map(printedDevice)
    if (options.json) return printAs('devices', printed)
    printRows(
      'machines',
      ['DEVICE', 'USER', 'NAME', 'LAST SEEN'],
      printed.map(({ deviceId, email, name, lastSeenAt }) => [deviceId, email, name, lastSeenAt]),
    )
  })
}

function printedDevice(device: OfUser<Device>): Printed<'devices'>[number] {
  const keyId = device.keys[0]?.keyId
  return {
    deviceId: device.deviceId,
    userId: device.userId,
    email: device.email,
    name: device.name,
    ...(keyId !== undefined && { keyId }),
    createdAt: iso(device.createdAtMs),
    lastSeenAt: iso(device.usedAtMs),
  }
}
