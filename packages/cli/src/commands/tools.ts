import type { Tool } from '@modelcontextprotocol/client'
import { Command } from 'commander'
import { asCaller } from '../caller.ts'
import { forTerminal, printAs, printHint, printLine, printList } from '../output.ts'
import { CALLER } from '../settings/caller-table.ts'
import { addSettings } from '../settings/flags.ts'

interface Options extends Readonly<Record<string, unknown>> {
  readonly json?: boolean
}

/** `bridgekeeper tools`: what can be called. */
export function toolsCommand(): Command {
  const command = new Command('tools')
    .description('list the tools of your local servers, as the bridge shows them')
    .argument('[server]', 'only this local server')
  return addSettings(command, CALLER)
    .option('--json', 'print the tools as JSON')
    .action(async (server: string | undefined, options: Options) => {
      const source = { flags: options, env: process.env }
      const tools = await asCaller(source, server, async (client) => (await client.listTools()).tools)
      if (options.json) return printAs('tools', tools)
      if (tools.length === 0)
        return printLine('There are no tools yet: the agent is still starting its servers, or has none.')
      printList([['SERVER', 'TOOL', 'DESCRIPTION'], ...tools.map((tool) => row(tool, server))])
      printLine()
      printHint("Next: bridgekeeper call SERVER TOOL '{…}'")
      printHint('For the arguments of each tool: bridgekeeper tools SERVER --json')
    })
}

function row(tool: Tool, server: string | undefined): string[] {
  const { 'bridgekeeper/server': listedServer, 'bridgekeeper/tool': listedTool } = tool._meta ?? {}
  const [description = ''] = (tool.description ?? tool.title ?? '').split('\n')
  return [String(server ?? listedServer), String(listedTool ?? tool.name), description].map(cell)
}

/** Reduces text to one line, since a second would look like another row. */
function cell(text: string): string {
  return forTerminal(text).replaceAll(/\s+/g, ' ')
}
