import { type Block, realSystem } from '@bridgekeeper/bridge'
import { DataFolder } from '@bridgekeeper/standalone'
import { Command } from 'commander'
import { lifetimeMs } from '../lifetime-setting.ts'
import { printJson, printLine, printTable } from '../output.ts'
import { dataFolder } from '../settings.ts'

interface Options {
  readonly data?: string
  readonly json?: boolean
  readonly for: string
}

/** `bridgekeeper block list|add|lift`. A running node follows within seconds. */
export function blockCommand(): Command {
  return new Command('block')
    .description('addresses and users that are shut out')
    .addCommand(
      shared(new Command('list').description('what is blocked, and how long')).action((options: Options) =>
        withData(options, async (data) => print(await data.blocks.list(), options)),
      ),
    )
    .addCommand(
      shared(new Command('add').description('block an address'))
        .argument('<address>')
        .option('--for <time>', 'how long: 15m, 1h, 30d', '1h')
        .action((address: string, options: Options) =>
          withData(options, async (data) =>
            print([await data.blocks.addAddress(address, lifetimeMs(options.for))], options),
          ),
        ),
    )
    .addCommand(
      shared(
        new Command('lift').description('lift all blocks of an address or a user, and reset the rate limit'),
      )
        .argument('<address, email or key>')
        .action((what: string, options: Options) =>
          withData(options, async (data) => {
            const lifted = await data.blocks.lift(what)
            if (options.json) return printJson(lifted.map(({ kind, key }) => ({ kind, key })))
            for (const { kind, key } of lifted) printLine(`Lifted: ${kind} ${key}`)
          }),
        ),
    )
}

function shared(command: Command): Command {
  return command
    .option('--data <dir>', 'data folder (default: BRIDGEKEEPER_DATA or ./.bridgekeeper)')
    .option('--json', 'print [{"kind","key","until"}]')
}

async function withData(options: Options, act: (data: DataFolder) => Promise<void>): Promise<void> {
  const data = await DataFolder.open(dataFolder(options.data), process.env, realSystem())
  try {
    await act(data)
  } finally {
    await data.close()
  }
}

function print(blocks: readonly Block[], { json }: Options): void {
  const rows = blocks.map(({ kind, key, untilMs }) => ({ kind, key, until: new Date(untilMs).toISOString() }))
  if (json) return printJson(rows)
  if (rows.length === 0) return printLine('Nothing is blocked.')
  printTable(rows.map(({ kind, key, until }) => [`${kind} ${key}`, `until ${until}`]))
}
