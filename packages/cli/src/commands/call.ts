import { text } from 'node:stream/consumers'
import { isObject, parseJson, unreachable } from '@bridgekeeper/protocol'
import type { CallToolResult, ContentBlock } from '@modelcontextprotocol/client'
import { Command } from 'commander'
import { callTool } from '../caller.ts'
import { forTerminal, printAs, printLine } from '../output.ts'
import { CALLER } from '../settings/caller-table.ts'
import { addSettings } from '../settings/flags.ts'
import { UsageError } from '../usage-error.ts'

interface Options extends Readonly<Record<string, unknown>> {
  readonly json?: boolean
}

/** `bridgekeeper call SERVER TOOL JSON`: one call. */
export function callCommand(): Command {
  const command = new Command('call')
    .description('call a tool of a local server')
    .argument('<server>', 'name of the local server')
    .argument('<tool>', 'name of its tool')
    .argument('[json]', 'the arguments as a JSON object, or - for standard input', '{}')
  return addSettings(command, CALLER)
    .option('--json', 'print the result as JSON')
    .action(async (server: string, tool: string, json: string, options: Options) => {
      const args = argumentsFrom(json === '-' ? await text(process.stdin) : json)
      const result = await callTool({ flags: options, env: process.env }, server, tool, args)
      if (options.json) printAs('call', result)
      else printLine(resultText(result))
      if (result.isError) process.exitCode = 1
    })
}

function argumentsFrom(json: string): Record<string, unknown> {
  const args = parseJson(json)?.value
  if (isObject(args)) return args
  throw new UsageError('The arguments are not a JSON object.', `Write them like '{"message":"hello"}'.`)
}

/** The result as a person reads it. */
export function resultText({ content, structuredContent }: CallToolResult): string {
  const text =
    content.length > 0 ? content.map(describe).join('\n') : JSON.stringify(structuredContent ?? {}, null, 2)
  return forTerminal(text)
}

function describe(block: ContentBlock): string {
  switch (block.type) {
    case 'text':
      return block.text
    case 'image':
    case 'audio':
      return `[${block.type}: ${block.mimeType}, ${Buffer.byteLength(block.data, 'base64')} bytes; --json shows it]`
    case 'resource_link':
      return `[resource: ${block.uri}]`
    case 'resource':
      return 'text' in block.resource ? block.resource.text : `[resource: ${block.resource.uri}]`
    default:
      return unreachable(block)
  }
}
