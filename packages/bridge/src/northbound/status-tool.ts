import { type RawJson, toJson } from '@bridgekeeper/protocol'
import type { AwakeMachine, Directory } from '../directory/directory.ts'
import type { SleepingMachine } from '../directory/last-known.ts'
import { mayKnow } from '../gates/call-authority.ts'
import type { Caller } from '../ports.ts'
import { machineText, serverText, timeText } from './status-text.ts'

export const STATUS_TOOL = 'bridgekeeper__status'

/** [AGG.6] The only tool of the bridge itself, on `/mcp`. */
export const statusTool: RawJson = toJson({
  name: STATUS_TOOL,
  title: 'Status of your machines',
  description:
    'Shows which machines of the user are connected, the state of each local MCP server, and what the user can do next. Call it if tools are missing or fail.',
  inputSchema: { type: 'object', properties: {} },
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
})

/** Whether something is missing that the status tool explains: a machine, or a server that is not ready. */
export function needsStatus(directory: Directory, userId: string): boolean {
  const connected = directory.awake(userId)
  if (connected.length === 0 || directory.asleep(userId).length > 0) return true
  if (connected.some(({ catalog }) => catalog === undefined)) return true
  return directory.servers(userId).some(({ server }) => server.state !== 'ready')
}

/** The result of the status tool. Names no server that the caller's token may not list. */
export function statusResult(directory: Directory, { userId, scopes }: Caller): RawJson {
  const isVisible = ({ server }: { readonly server: { readonly name: string } }): boolean =>
    mayKnow(scopes, server.name)
  const servers = directory.servers(userId).filter(isVisible)
  const awake = directory.awake(userId).map((machine) =>
    connectedText(
      machine,
      servers.filter((one) => one.machine === machine).map(({ server }) => serverText(server)),
    ),
  )
  const asleep = directory.asleep(userId).map((machine) =>
    sleepingText(
      machine,
      [...machine.catalog.keys()].filter((name) => mayKnow(scopes, name)),
    ),
  )
  const hasFailed = servers.some(({ server }) => server.state === 'failed')
  const parts = [...awake, ...asleep, ...nextSteps(awake.length > 0, hasFailed)]
  return toJson({ content: [{ type: 'text', text: parts.join('\n\n') }] })
}

function connectedText(machine: AwakeMachine, servers: readonly string[]): string {
  const { catalog, connection } = machine
  const { version, sinceMs } = connection
  const head = `${capital(machineText(machine))} has been connected since ${timeText(sinceMs)}.`
  if (catalog !== undefined)
    return [`${head} Local servers:`, ...(servers.length > 0 ? servers : ['- none'])].join('\n')
  return `${head} It ${version === 'v2' ? 'has not reported its local servers yet' : 'does not report its local servers'}.`
}

function sleepingText(machine: SleepingMachine, servers: readonly string[]): string {
  const head = `${capital(machineText(machine))} is not connected. It was until ${timeText(machine.leftAtMs)}.`
  return servers.length === 0
    ? head
    : `${head} Its local servers: ${servers.map((name) => JSON.stringify(name)).join(', ')}.`
}

function nextSteps(isConnected: boolean, hasFailed: boolean): readonly string[] {
  return [
    ...(isConnected ? [] : ['No machine is connected, so no tool can run.']),
    ...(isConnected ? [] : ['Next step: wake the machine and run "bridgekeeper connect" on it.']),
    ...(hasFailed
      ? [
          'Next step: read the output of "bridgekeeper connect" on that machine, and correct the server\'s entry in the config file.',
        ]
      : []),
  ]
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}
