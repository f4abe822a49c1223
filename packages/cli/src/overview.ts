import { styleText } from 'node:util'
import type { AgentEvent } from '@bridgekeeper/agent'
import type { Printed } from './json/shapes.ts'
import { forTerminal } from './output.ts'
import { tableLines } from './table.ts'

type ServerState = Overview['servers'][number]
/** Printed by `connect` at its first connection. */
export type Overview = Extract<Printed<'connect'>, { type: 'overview' }>

/**
 * Follows the events of an agent.
 * @param bridge its web address
 * @param names of the local servers
 * @returns takes each event; returns the overview at the first connection
 */
export function overviewer(
  bridge: string,
  names: readonly string[],
): (event: AgentEvent) => Overview | undefined {
  const servers = new Map<string, ServerState>(names.map((name) => [name, { name, state: 'starting' }]))
  let isShown = false
  let isNew = false
  return (event) => {
    const changed = stateAfter(event)
    if (changed !== undefined) servers.set(changed.name, changed)
    if (event.type === 'config-changed') {
      for (const name of event.removed) servers.delete(name)
      for (const name of [...event.added, ...event.changed]) servers.set(name, { name, state: 'starting' })
    }
    if (event.type === 'enrolled') isNew = true
    if (event.type !== 'verified' || isShown) return undefined
    isShown = true
    return {
      type: 'overview',
      mcpUrl: `${bridge}/mcp`,
      accountUrl: `${bridge}/account`,
      newlyEnrolled: isNew,
      servers: [...servers.values()],
    }
  }
}

function stateAfter(event: AgentEvent): ServerState | undefined {
  switch (event.type) {
    case 'server-ready':
    case 'server-tools-changed':
      return { name: event.name, state: 'ready', tools: event.tools }
    case 'server-failed':
    case 'server-exited':
      return { name: event.name, state: 'failed' }
    default:
      return undefined
  }
}

const STYLES = { ready: 'green', starting: 'dim', failed: 'red' } as const

/**
 * The overview for a person; in colour if standard output is a terminal that shows colours.
 * @param width of the terminal; longer names of servers are cut
 */
export function overviewText(overview: Overview, width?: number): string {
  const { mcpUrl, accountUrl, newlyEnrolled, servers } = overview
  const rows = tableLines(
    servers.map((server) => ['', forTerminal(server.name), stateText(server)]),
    width,
  )
  const lines = [
    '',
    `MCP URL: ${styleText('bold', mcpUrl)}`,
    servers.length === 0 ? 'There are no local servers in the config file.' : 'Local servers:',
    ...rows.map((row, i) => styleText(STYLES[servers[i]?.state ?? 'starting'], row)),
    '',
  ]
  const next = [
    'Next: add the MCP URL to your AI app, which then asks you to log in.',
    `To remove this machine: ${accountUrl}`,
    '',
  ]
  return [...lines, ...(newlyEnrolled ? next : [])].map((line) => `${line}\n`).join('')
}

function stateText({ state, tools }: ServerState): string {
  return tools === undefined ? state : `${state}, ${tools} ${tools === 1 ? 'tool' : 'tools'}`
}
