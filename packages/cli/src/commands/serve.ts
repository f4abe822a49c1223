import { realSystem } from '@bridgekeeper/bridge'
import { serve } from '@bridgekeeper/standalone'
import { Command } from 'commander'
import { aborted, endSignal } from '../lifetime.ts'
import { forTerminal, printJson, printLine, printTable } from '../output.ts'
import { addReachFlags, type ReachFlags, reachOptions } from '../serve-options.ts'
import { dataFolder, port } from '../settings.ts'

interface Options extends ReachFlags {
  readonly host: string
  readonly port?: string
  readonly data?: string
  readonly json?: boolean
}

/** `bridgekeeper serve`: a node, until it is told to stop. */
export function serveCommand(): Command {
  const command = new Command('serve')
    .description('run a bridge')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <number>', 'port to listen on; 0 chooses a free one (default: PORT or 8787)')
    .option('--data <dir>', 'data folder (default: BRIDGEKEEPER_DATA or ./.bridgekeeper)')
    .option('--json', 'print JSON lines')
  return addReachFlags(command).action(run)
}

async function run(options: Options): Promise<void> {
  const end = endSignal()
  const folder = dataFolder(options.data)
  const node = await serve({
    host: options.host,
    port: port(options.port),
    dataFolder: folder,
    env: process.env,
    system: realSystem(),
    ...reachOptions(options, process.env),
    logTo: process.stdout,
  })
  for (const note of node.notes) process.stderr.write(`note: ${forTerminal(note)}\n`)
  if (options.json) printJson({ event: 'listening', url: node.url, mcp: `${node.url}/mcp`, data: folder })
  else {
    printLine('Bridgekeeper is listening.')
    printTable([
      ['  MCP', `${node.url}/mcp`],
      ['  agents', node.url],
      ['  data', folder],
    ])
    printLine(`Next: bridgekeeper user add EMAIL${options.data === undefined ? '' : ` --data ${folder}`}`)
    printLine(`Then, on the machine with the MCP servers: bridgekeeper connect ${node.url} --config mcp.json`)
  }
  await aborted(end)
  if (!options.json) printLine('Stopping: letting calls end…')
  await node.close()
  if (options.json) printJson({ event: 'stopped' })
}
