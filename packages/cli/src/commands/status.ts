import { realSystem } from '@bridgekeeper/bridge/parts'
import { type Status, statusOf } from '@bridgekeeper/standalone'
import { Command } from 'commander'
import { hint } from '../hints.ts'
import type { Printed } from '../json/shapes.ts'
import { forTerminal, printAs, printTable } from '../output.ts'
import { dataFolder } from '../settings.ts'
import { DATA_FLAG, type DataOptions } from '../with-data.ts'

/**
 * `bridgekeeper status`: exits with 1 if the store or the log cannot be used. A stopped node is not a
 * failure.
 */
export function statusCommand(): Command {
  return new Command('status')
    .description('show whether a bridge runs on the data folder, and whether its store and log can be used')
    .option(...DATA_FLAG)
    .option('--json', 'print {"running","url","store","counts","logWritable"}')
    .action(async (options: DataOptions) => {
      const status = await statusOf(dataFolder(options.data), process.env, realSystem())
      if (!status.store.reachable || !status.logWritable) process.exitCode = 1
      if (options.json) printAs('status', printed(status))
      else printTable(described(status).map((row) => row.map(forTerminal)))
    })
}

function printed({ node, store, logWritable }: Status): Printed<'status'> {
  return {
    running: node !== undefined,
    ...(node?.url !== undefined && { url: node.url }),
    store: store.reachable ? { reachable: true } : { reachable: false, error: failureOf(store.error) },
    ...(store.reachable && { counts: store.counts }),
    logWritable,
  }
}

function failureOf({ code, message, next }: { code: string; message: string; next: string }) {
  return { code, message, next: hint(next) }
}

function described({ node, store, logWritable }: Status): string[][] {
  const running = node === undefined ? 'none runs here' : (node.url ?? 'runs')
  const rows = [['node', running]]
  if (store.reachable) {
    const { users, sessions, devices, blocks } = store.counts
    rows.push(['store', 'reachable'])
    const counts = [counted(users, 'user'), counted(sessions, 'session'), counted(devices, 'machine')]
    rows.push(['holds', [...counts, counted(blocks, 'block')].join(', ')])
  } else
    rows.push(['store', `${store.error.message} (${store.error.code})`], ['next', hint(store.error.next)])
  rows.push(['log', logWritable ? 'writable' : 'NOT writable: every call is refused'])
  return rows
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
