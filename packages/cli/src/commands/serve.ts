import { realSystem } from '@bridgekeeper/bridge'
import { type Node, SECRETS, SERVE, serve, serveSettings } from '@bridgekeeper/standalone'
import { Command } from 'commander'
import { humanLog } from '../human-log.ts'
import { aborted, endSignal } from '../lifetime.ts'
import { forTerminal, printAs, printHint, printLine, printTable } from '../output.ts'
import { addSettings } from '../settings/flags.ts'
import { dataFolder } from '../settings.ts'

interface Options extends Readonly<Record<string, unknown>> {
  readonly data?: string
  readonly json?: boolean
}

/** `bridgekeeper serve`: runs a node until it is stopped. */
export function serveCommand(): Command {
  return addSettings(new Command('serve').description('run a bridge'), SERVE, SECRETS)
    .option('--json', 'print JSON lines only')
    .action(run)
}

async function run(options: Options): Promise<void> {
  const end = endSignal()
  const { env } = process
  const settings = serveSettings({ flags: options, env })
  const folder = dataFolder(options.data)
  const isHuman =
    !options.json && (settings.logFormat ?? (process.stdout.isTTY ? 'human' : 'json')) === 'human'
  const logTo = isHuman ? humanLog(process.stdout) : process.stdout
  const node = await serve({ settings, env, system: realSystem(), logTo })
  for (const note of node.notes) process.stderr.write(`note: ${forTerminal(note)}\n`)
  if (options.json)
    printAs('serve', { event: 'listening', url: node.url, mcp: `${node.url}/mcp`, data: folder })
  else {
    printLine(`Bridgekeeper is listening at ${node.url}.`)
    printTable([
      ['  MCP', `${node.shownUrl}/mcp`],
      ['  agents', node.shownUrl],
      ['  data', folder],
    ])
    const addsUser = settings.tokenProvider === undefined && !(await hasUsers(node))
    if (addsUser) printHint('Next: bridgekeeper user add EMAIL')
    printHint(
      `${addsUser ? 'Then' : 'Next'}, on the machine with the MCP servers: bridgekeeper connect ${node.shownUrl} --config mcp.json`,
    )
  }
  await aborted(end)
  if (!options.json) printLine('Stopping: letting calls end…')
  await node.close()
  if (options.json) printAs('serve', { event: 'stopped' })
}

/** Whether the node has a user. A store that fails counts as empty: the answer only chooses a hint. */
async function hasUsers({ data }: Node): Promise<boolean> {
  try {
    return (await data.operations.users.list('', 1)).users.length > 0
  } catch {
    return false
  }
}
