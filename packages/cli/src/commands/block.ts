import type { Block } from '@bridgekeeper/bridge'
import { OPERATOR } from '@bridgekeeper/standalone'
import { Command } from 'commander'
import { lifetimeMs } from '../lifetime-setting.ts'
import { printJson, printLine, printTable } from '../output.ts'
import { DATA_FLAG, type DataOptions, withData } from '../with-data.ts'

interface Options extends DataOptions {
  readonly for: string
}

/** `bridgekeeper block list|add|lift`. A running node follows within seconds. */
export function blockCommand(): Command {
  return new Command('block')
    .description('addresses and users that are shut out')
    .addCommand(
      shared(new Command('list').description('what is blocked, and how long')).action((options: Options) =>
        withData(options, async ({ operations: { blocks } }) => print(await blocks.list(), options)),
      ),
    )
    .addCommand(
      shared(new Command('add').description('block an address'))
        .argument('<address>')
        .option('--for <time>', 'how long: 15m, 1h, 30d', '1h')
        .action((address: string, options: Options) =>
          withData(options, async ({ operations: { blocks } }) =>
            print([await blocks.addAddress(address, lifetimeMs(options.for), OPERATOR)], options),
          ),
        ),
    )
    .addCommand(
      shared(
        new Command('lift').description('lift all blocks of an address or a user, and reset the rate limit'),
      )
        .argument('<address, email or key>')
        .action((what: string, options: Options) =>
          withData(options, async ({ operations: { blocks } }) => {
            const lifted = await blocks.lift(what, OPERATOR)
            if (options.json) return printJson(lifted.map(({ kind, key }) => ({ kind, key })))
            for (const { kind, key } of lifted) printLine(`Lifted: ${kind} ${key}`)
          }),
        ),
    )
}

function shared(command: Command): Command {
  return command.option(...DATA_FLAG).option('--json', 'print [{"kind","key","until"}]')
}

function print(blocks: readonly Block[], { json }: Options): void {
  const rows = blocks.map(({ kind, key, untilMs }) => ({ kind, key, until: new Date(untilMs).toISOString() }))
  if (json) return printJson(rows)
  if (rows.length === 0) return printLine('Nothing is blocked.')
  printTable(rows.map(({ kind, key, until }) => [`${kind} ${key}`, `until ${until}`]))
}
