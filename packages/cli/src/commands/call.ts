import { text } from 'node:stream/consumers'
import { isObject, parseJson, unreachable } from '@bridgekeeper/protocol'
import type { CallToolResult, ContentBlock } from '@modelcontextprotocol/client'
import { Command } from 'commander'
import { asCaller, type CallerOptions } from '../caller.ts'
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
      const result = await asCaller(options, server, (client) =>
        client.callTool({ name: tool, arguments: args }),
      )
      if (options.json) printJson(result)
      else printResult(result)
      if (result.isError) process.exitCode = 1
    })
}

function argumentsFrom(json: string): Record<string, unknown> {
  const args = parseJson(json)?.value
  if (isObject(args)) return args
  throw new UsageError('The arguments are not a JSON object.', `Write them like '{"message":"hello"}'.`)
}

function printResult(result: CallToolResult): void {
  for (const block of result.content) printLine(forTerminal(describe(block)))
  if (result.content.length === 0) printLine(JSON.stringify(result.structuredContent ?? {}, null, 2))
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
