import type { Block } from '@bridgekeeper/bridge'
import { OPERATOR } from '@bridgekeeper/standalone'
import { Command } from 'commander'
import type { Printed } from '../json/shapes.ts'
import { lifetimeMs } from '../lifetime-setting.ts'
import { iso } from '../moment.ts'
import { printAs, printLine, printList } from '../output.ts'
import { DATA_FLAG, type DataOptions, withData } from '../with-data.ts'

interface AddOptions extends DataOptions {
  readonly for: string
}

/** `bridgekeeper block list|add|lift`. A running node follows within seconds. */
export function blockCommand(): Command {
  return new Command('block')
    .description('list, add and lift blocks of addresses and users')
    .addCommand(shared(new Command('list').description('what is blocked, and how long')).action(list))
    .addCommand(
      shared(new Command('add').description('block an address'))
        .argument('<address>')
        .option('--for <time>', 'how long: 15m, 1h, 30d', '1h')
        .action(add),
    )
    .addCommand(
      shared(
        new Command('lift').description('lift all blocks of an address or a user, and reset the rate limit'),
      )
        .argument('<address, email or key>')
        .action(lift),
    )
}

function shared(command: Command): Command {
  return command.option(...DATA_FLAG).option('--json', 'print [{"kind","key","expiresAt"}]')
}

async function list(options: DataOptions): Promise<void> {
  const found = await withData(options, ({ operations }) => operations.blocks.list())
  if (options.json) printAs('block list', found.map(printed))
  else printBlocks(found)
}

async function add(address: string, options: AddOptions): Promise<void> {
  const forMs = lifetimeMs(options.for)
  const block = await withData(options, ({ operations }) =>
    operations.blocks.addAddress(address, forMs, OPERATOR),
  )
  if (options.json) printAs('block add', [printed(block)])
  else printBlocks([block])
}

async function lift(what: string, options: DataOptions): Promise<void> {
  const lifted = await withData(options, ({ operations }) => operations.blocks.lift(what, OPERATOR))
  if (options.json) return printAs('block lift', lifted.map(printed))
  for (const { kind, key } of lifted) printLine(`Lifted: ${kind} ${key}`)
}

function printed({ kind, key, untilMs }: Block): Printed<'block list'>[number] {
  return { kind, key, expiresAt: iso(untilMs) }
}

function printBlocks(blocks: readonly Block[]): void {
  if (blocks.length === 0) return printLine('Nothing is blocked.')
  printList([
    ['KIND', 'KEY', 'EXPIRES'],
    ...blocks.map(({ kind, key, untilMs }) => [kind, key, iso(untilMs)]),
  ])
}
