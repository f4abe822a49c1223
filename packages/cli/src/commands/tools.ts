import type { Client, Tool } from '@modelcontextprotocol/client'
import { Command } from 'commander'
import { asCaller } from '../caller.ts'
import { forTerminal, printAs, printHint, printLine, printList } from '../output.ts'
import { CALLER } from '../settings/caller-table.ts'
import { addSettings } from '../settings/flags.ts'
import { resultText } from './call.ts'

const STATUS_TOOL = 'bridgekeeper__status'

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
      const { listed, status } = await asCaller(source, server, read)
      if (options.json) return printAs('tools', listed)
      const tools = listed.filter((tool) => !isOwn(tool))
      if (tools.length === 0)
        return printLine(
          status ?? 'There are no tools yet: the agent is still starting its servers, or has none.',
        )
      printList([['SERVER', 'TOOL', 'DESCRIPTION'], ...tools.map((tool) => row(tool, server))])
      printLine()
      printHint("Next: bridgekeeper call SERVER TOOL '{…}'")
      printHint('For the arguments of each tool: bridgekeeper tools SERVER --json')
    })
}

/** The list and, if it has no tool of a local server, what the bridge says about the machines. */
async function read(client: Client): Promise<{ listed: Tool[]; status: string | undefined }> {
  const { tools: listed } = await client.listTools()
  if (!listed.every(isOwn) || listed.length === 0) return { listed, status: undefined }
  return { listed, status: resultText(await client.callTool({ name: STATUS_TOOL })) }
}

/** Whether it is the bridge's own tool. */
function isOwn({ name, _meta }: Tool): boolean {
  return name === STATUS_TOOL && _meta?.['bridgekeeper/server'] === undefined
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
