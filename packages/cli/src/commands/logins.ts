import { realSystem } from '@bridgekeeper/bridge'
import { DataFolder } from '@bridgekeeper/standalone'
import { Command } from 'commander'
import { forTerminal, printJson, printLine, printTable } from '../output.ts'
import { dataFolder } from '../settings.ts'

interface Options {
  readonly data?: string
  readonly json?: boolean
}

/** `bridgekeeper sessions [EMAIL]`: the logins that have not ended. */
export function sessionsCommand(): Command {
  return listing('sessions', 'logins that have not ended, of one user or of all', async (data, email) =>
    (await data.operations.sessions.list(email)).map((session) => ({
      id: session.sessionId,
      email: session.email,
      userId: session.userId,
      kind: session.kind,
      label: session.label,
      deviceId: session.deviceId,
      since: iso(session.createdAtMs),
      seen: iso(session.seenAtMs),
      until: iso(session.expiresAtMs),
    })),
  )
}

/** `bridgekeeper devices [EMAIL]`: the machines that are enrolled. */
export function devicesCommand(): Command {
  return listing('devices', 'enrolled machines, of one user or of all', async (data, email) =>
    (await data.operations.devices.list(email)).map((device) => ({
      id: device.deviceId,
      email: device.email,
      userId: device.userId,
      kind: 'device',
      label: device.name,
      keyId: device.keys[0]?.keyId,
      since: iso(device.createdAtMs),
      seen: iso(device.usedAtMs),
    })),
  )
}

/** What both lists have. `label` was written by a peer. */
interface Listed {
  readonly id: string
  readonly email: string
  readonly kind: string
  readonly label: string
  readonly seen: string
}

function listing(
  name: string,
  description: string,
  find: (data: DataFolder, email: string | undefined) => Promise<readonly Listed[]>,
): Command {
  return new Command(name)
    .description(description)
    .argument('[email]')
    .option('--data <dir>', 'data folder (default: BRIDGEKEEPER_DATA or ./.bridgekeeper)')
    .option('--json', 'print a list of objects')
    .action(async (email: string | undefined, options: Options) => {
      const data = await DataFolder.open(dataFolder(options.data), process.env, realSystem())
      try {
        const found = await find(data, email)
        if (options.json) return printJson(found)
        if (found.length === 0) return printLine('There are none.')
        printTable(
          found.map(({ id, email, kind, label, seen }) =>
            [id, email, kind, label, `seen ${seen}`].map((text) => forTerminal(text)),
          ),
        )
      } finally {
        await data.close()
      }
    })
}

function iso(atMs: number): string {
  return new Date(atMs).toISOString()
}
