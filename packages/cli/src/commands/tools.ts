import type { Tool } from '@modelcontextprotocol/client'
import { Command } from 'commander'
import { asCaller, type CallerOptions } from '../caller.ts'
import { forTerminal, printJson, printLine, printTable } from '../output.ts'

interface Options extends CallerOptions {
  readonly json?: boolean
}

/** `bridgekeeper tools`: what can be called. */
export function toolsCommand(): Command {
  return new Command('tools')
    .description('list the tools of your local servers, as the bridge shows them')
    .argument('[server]', 'only this local server')
    .option('--url <url>', 'the bridge (default: BRIDGEKEEPER_URL or http://127.0.0.1:8787)')
    .option('--token <token>', 'access token; BRIDGEKEEPER_TOKEN keeps it out of the process list')
    .option('--json', 'print the tools as JSON')
    .action(async (server: string | undefined, options: Options) => {
      const tools = await asCaller(options, server, async (client) => (await client.listTools()).tools)
      if (options.json) return printJson(tools)
      if (tools.length === 0)
        return printLine('There are no tools yet: the agent is still starting its servers, or has none.')
      printTable([['SERVER', 'TOOL', 'DESCRIPTION'], ...tools.map((tool) => row(tool, server))], {
        cut: true,
      })
      printLine()
      printLine("Next: bridgekeeper call SERVER TOOL '{…}'")
    })
}

function row(tool: Tool, server: string | undefined): string[] {
  const { 'bridgekeeper/server': listedServer, 'bridgekeeper/tool': listedTool } = tool._meta ?? {}
  const [description = ''] = (tool.description ?? tool.title ?? '').split('\n')
  return [String(server ?? listedServer), String(listedTool ?? tool.name), description].map(cell)
}

/** One line of it: more would look like another row. */
function cell(text: string): string {
  return forTerminal(text).replaceAll(/\s+/g, ' ')
}
