import type { Device } from '@bridgekeeper/bridge'
import type { OfUser } from '@bridgekeeper/standalone'
import { Command } from 'commander'
import type { Printed } from '../json/shapes.ts'
import { iso } from '../moment.ts'
import { forTerminal, printAs, printLine, printList } from '../output.ts'
import { DATA_FLAG, type DataOptions, withData } from '../with-data.ts'

/** `bridgekeeper sessions [EMAIL]`: lists active logins. */
export function sessionsCommand(): Command {
  return listing('sessions', 'logins that have not ended, of one user or of all', async (email, options) => {
    const found = await withData(options, ({ operations }) => operations.sessions.list(email))
    const printed = found.map((session) => ({
      sessionId: session.sessionId,
      userId: session.userId,
      email: session.email,
      kind: session.kind,
      label: session.label,
      ...(session.deviceId !== undefined && { deviceId: session.deviceId }),
      createdAt: iso(session.createdAtMs),
      lastSeenAt: iso(session.seenAtMs),
      expiresAt: iso(session.expiresAtMs),
    }))
    if (options.json) return printAs('sessions', printed)
    printRows(
      'logins',
      ['SESSION', 'USER', 'KIND', 'LABEL', 'LAST SEEN'],
      printed.map(({ sessionId, email, kind, label, lastSeenAt }) => [
        sessionId,
        email,
        kind,
        label,
        lastSeenAt,
      ]),
    )
  })
}

/** `bridgekeeper devices [EMAIL]`: lists enrolled machines. */
export function devicesCommand(): Command {
  return listing('devices', 'enrolled machines, of one user or of all', async (email, options) => {
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

function listing(
  name: string,
  description: string,
  list: (email: string | undefined, options: DataOptions) => Promise<void>,
): Command {
  return new Command(name)
    .description(description)
    .argument('[email]')
    .option(...DATA_FLAG)
    .option('--json', 'print a list of objects')
    .action(list)
}

/** Prints rows, sanitized because peers wrote the names in them. */
function printRows(kind: string, header: readonly string[], rows: readonly (readonly string[])[]): void {
  if (rows.length === 0) printLine(`There are no ${kind}.`)
  else printList([header, ...rows.map((row) => row.map(forTerminal))])
}
