import { type CatalogServer, cleanText, unreachable } from '@bridgekeeper/protocol'

/** Longest reason of one server. */
const REASON_CHARS = 300

/** A machine by the name that its user gave it. */
export function machineText({ machineName }: { readonly machineName: string | undefined }): string {
  return machineName === undefined ? 'a machine without a name' : `the machine ${JSON.stringify(machineName)}`
}

/** A time as `2026-11-30 10:02 UTC`. */
export function timeText(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 16).replace('T', ' ')} UTC`
}

/** One line about a local server. */
export function serverText(server: CatalogServer): string {
  const name = JSON.stringify(server.name)
  switch (server.state) {
    case 'ready':
      return `- ${name}: ready, ${server.tools.length} ${server.tools.length === 1 ? 'tool' : 'tools'}`
    case 'starting':
      return `- ${name}: starting`
    case 'failed':
      return `- ${name}: not running${reasonText(server.reason)}`
    default:
      return unreachable(server)
  }
}

function reasonText(reason: string | undefined): string {
  return reason === undefined ? '' : `. Reason: ${cleanText(reason).slice(0, REASON_CHARS)}`
}
