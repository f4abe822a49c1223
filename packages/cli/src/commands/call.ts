import { text } from 'node:stream/consumers'
import { isObject, parseJson, unreachable } from '@bridgekeeper/protocol'
import type { CallToolResult, ContentBlock } from '@modelcontextprotocol/client'
import { Command } from 'commander'
import { type CallerOptions, callTool } from '../caller.ts'
import { forTerminal, printJson, printLine } from '../output.ts'
import { UsageError } from '../usage-error.ts'

interface Options extends CallerOptions {
  readonly json?: boolean
}

/** `bridgekeeper call SERVER TOOL JSON`: one call. */
export function callCommand(): Command {
  return new Command('call')
    .description('call a tool of a local server')
    .argument('<server>')
    .argument('<tool>')
    .argument('[json]', 'the arguments as a JSON object, or - for standard input', '{}')
    .option('--url <url>', 'the bridge (default: BRIDGEKEEPER_URL or http://127.0.0.1:8787)')
    .option('--token <token>', 'access token; BRIDGEKEEPER_TOKEN keeps it out of the process list')
    .option('--json', 'print the result as JSON')
    .action(async (server: string, tool: string, json: string, options: Options) => {
      const args = argumentsFrom(json === '-' ? await text(process.stdin) : json)
      const result = await callTool(options, server, tool, args)
      if (options.json) printJson(result)
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
