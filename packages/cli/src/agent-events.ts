import type { AgentEvent } from '@bridgekeeper/agent'
import { unreachable } from '@bridgekeeper/protocol'
import type { Printed } from './json/shapes.ts'
import { forTerminal, jsonText, terminalWidth } from './output.ts'
import { type Overview, overviewText } from './overview.ts'
import { printOrDrop } from './stdout.ts'

/** Describes an event in a line for the user; `undefined` for a detail. */
export function describeEvent(event: AgentEvent, verbose: boolean): string | undefined {
  switch (event.type) {
    case 'connecting':
      return verbose ? `connecting to ${event.url}` : undefined
    case 'verified':
      return `connected to ${event.url}`
    case 'disconnected':
      return `disconnected (${event.reason}); trying again in ${seconds(event.retryInMs)}`
    case 'bridge-error':
      return `the bridge reports: ${event.code}`
    case 'call-finished':
      return verbose
        ? `${event.server}/${event.tool}: ${event.outcome} in ${Math.round(event.durationMs)} ms`
        : undefined
    case 'request-finished':
      return verbose
        ? `${event.server}: ${event.method}: ${event.outcome} in ${Math.round(event.durationMs)} ms`
        : undefined
    case 'session-file-unusable':
      return `MCP sessions are forgotten when the agent ends: ${event.reason}`
    case 'server-starting':
      return startText(event, verbose)
    case 'server-ready':
      return `${event.name}: ready, ${event.tools} tools${skipped(event.skippedTools)}`
    case 'server-tools-changed':
      return `${event.name}: its tools changed, now ${event.tools}`
    case 'server-tools-unread':
      return `${event.name}: its new tools could not be read (${event.reason})`
    case 'server-tools-odd':
      return `${event.name}: ${oddTools(event)}`
    case 'server-output-ignored':
      return `${event.name}: ${event.reason}${quoted(event.text)}`
    case 'server-failed':
      return `${event.name}: failed: ${withRetry(event)}${quoted(event.stderr)}`
    case 'server-exited':
      return `${event.name}: ended: ${withRetry(event)}${quoted(event.stderr)}`
    case 'server-instance-failed':
      return `${event.name}: a further process failed: ${event.reason}${quoted(event.stderr)}`
    case 'config-changed':
      return changesText(event)
    case 'config-unread':
      return `the config file cannot be used, and the servers stay as they are: ${event.reason} ${event.next}`
    case 'enrolment-waiting':
      return approvalText(event)
    case 'enrolled':
      return `this machine is enrolled at ${event.bridge} as ${event.name}; its key is ${KEY_PLACES[event.keyStore]}`
    case 'server-log':
      return verbose ? `${event.name}: ${event.level}: ${event.text}` : undefined
    case 'server-stderr':
      return verbose ? `${event.name}: ${event.text.trimEnd()}` : undefined
    case 'events-left-out': {
      const last = describeEvent(event.last, verbose)
      return last === undefined ? undefined : `${last}\n  (and ${event.count - 1} more like this)`
    }
    default:
      return unreachable(event)
  }
}

type Starting = Extract<AgentEvent, { type: 'server-starting' }>

function startText({ name, forMs, limitMs, mayInstall }: Starting, verbose: boolean): string | undefined {
  if (forMs === 0) return verbose ? `${name}: starting` : undefined
  const what = mayInstall ? ' (it may be installing packages)' : ''
  return `${name}: still starting after ${seconds(forMs)}${what}; it has ${seconds(limitMs)}`
}

type Changed = Extract<AgentEvent, { type: 'config-changed' }>

function changesText({ added, removed, changed }: Changed): string {
  const lists = Object.entries({ started: added, stopped: removed, restarted: changed })
    .filter(([, names]) => names.length > 0)
    .map(([what, names]) => `${what}: ${names.join(', ')}`)
  return `the config file was read again; ${lists.length === 0 ? 'no server differs' : lists.join('; ')}`
}

const KEY_PLACES = { os: "in the system's key store", file: 'in a file that only you can read' } as const

type Waiting = Extract<AgentEvent, { type: 'enrolment-waiting' }>

function approvalText({ name, verificationUri, userCode, keyWords, expiresInMs }: Waiting): string {
  return `To connect this machine as ${name}, log in and approve it in a browser, on any machine:

  ${verificationUri}

  Code: ${userCode}
  Words of its key:
    ${keyWords}

Approve it only if the page shows the same code and words. They expire in ${Math.ceil(expiresInMs / 60_000)} minutes.`
}

/** Prints an event in words. Events are dropped while the output is not read. */
export function printEvent(event: AgentEvent, verbose: boolean): void {
  const line = describeEvent(event, verbose)
  if (line !== undefined) printLinesOrDrop(`${forTerminal(line)}\n`)
}

/** Prints the overview in words. It is dropped while the output is not read. */
export function printOverview(overview: Overview): void {
  printLinesOrDrop(overviewText(overview, terminalWidth(process.stdout, process.env.COLUMNS)))
}

function printLinesOrDrop(text: string): void {
  printOrDrop(text, (count) => `(${count} events were dropped: the output was not read)\n`)
}

/** Prints an event as a line of JSON. Events are dropped while the output is not read. */
export function printEventJson(event: AgentEvent | Overview): void {
  const line = (printed: Printed<'connect'>): string => `${jsonText(printed)}\n`
  printOrDrop(line(event), (count) => line({ type: 'events-dropped', count }))
}

type Stopped = Extract<AgentEvent, { type: 'server-failed' | 'server-exited' }>

function withRetry({ reason, retryInMs }: Stopped): string {
  if (retryInMs === undefined) return reason
  return `${reason.replace(/\.$/, '')}; starting it again in ${seconds(retryInMs)}`
}

/** Quotes the server's last output, each line marked as its own. */
function quoted(stderr: string): string {
  if (stderr.trim() === '') return ''
  const lines = stderr.trimEnd().split('\n')
  return lines.map((line) => `\n  | ${line}`).join('')
}

function oddTools({ count, names, reason }: Extract<AgentEvent, { type: 'server-tools-odd' }>): string {
  const shown = names.map((name) => (name === '' ? '(no name)' : name)).join(', ')
  const others = count > names.length ? ` and ${count - names.length} more` : ''
  return `${shown}${others}: ${reason}`
}

function seconds(durationMs: number): string {
  return `${(durationMs / 1_000).toFixed(1)} s`
}

function skipped(count: number): string {
  return count === 0 ? '' : ` (${count} more left out)`
}
