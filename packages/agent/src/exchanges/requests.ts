import { type Era, isAmbiguous, type OpenFrame, replaceAt, textAt, toJson } from '@bridgekeeper/protocol'
import type { Translation } from '../eras/translation.ts'
import { CLIENT_VERSIONS } from '../servers/handshake.ts'
import type { Instance, InstanceFault } from '../servers/instance.ts'
import type { RawOutcome } from '../servers/raw-calls.ts'
import type { Exchange } from './exchange.ts'
import type { InstanceGroup, Lent } from './instance-group.ts'
import type { Outcome } from './outcome-end.ts'
import { ownError } from './own-request.ts'
import { paramHeaderFault } from './param-headers.ts'
import type { ExchangeServer } from './server-port.ts'

/** Methods of the 2025 era that 2026 does not have. */
const REMOVED: ReadonlySet<string> = new Set([
  'initialize',
  'ping',
  'logging/setLevel',
  'resources/subscribe',
  'resources/unsubscribe',
])
const NOT_FOUND = ownError(-32_601, 'Method not found')
const NEEDS_SESSION = ownError(-32_600, 'This method needs an MCP session: call initialize first.')
const TASK_NOT_FOUND = ownError(-32_602, 'Task not found')
/** The id of no task. */
const NO_TASK = 'bridgekeeper-no-such-task'
const HEADER_MISMATCH = -32_020

export interface RequestFacts {
  readonly server: ExchangeServer
  readonly group: InstanceGroup
  readonly era: Era
  readonly translation: Translation
  /** Headers `Mcp-Param-*`. */
  readonly paramHeaders: OpenFrame['params']
}

/** Answers one request, from the local server or for it. Never rejects. */
export async function answer(exchange: Exchange, facts: RequestFacts): Promise<Outcome> {
  const { era, server, translation } = facts
  const outcome = era === '2026' ? await answer2026(exchange, facts) : await answer2025(exchange, facts)
  const isOtherEra = 'fault' in outcome && outcome.fault === 'era'
  return isOtherEra ? translation.answer(exchange, server, era) : outcome
}

async function answer2026(exchange: Exchange, facts: RequestFacts): Promise<RawOutcome | InstanceFault> {
  const { method, params } = exchange.facts
  if (REMOVED.has(method)) return NOT_FOUND
  const toolName = method === 'tools/call' ? textAt(params, ['name']) : undefined
  const schema = toolName === undefined ? undefined : facts.server.inputSchema(toolName)
  const fault = paramHeaderFault(schema, params, facts.paramHeaders ?? {})
  return fault === undefined ? forward(exchange, facts.group) : ownError(HEADER_MISMATCH, fault)
}

async function answer2025(exchange: Exchange, { group }: RequestFacts): Promise<RawOutcome | InstanceFault> {
  const { method, params, session, client } = exchange.facts
  switch (method) {
    case 'initialize':
      return introduce(await group.shared(client), textAt(params, ['protocolVersion']))
    case 'logging/setLevel':
      return session === undefined ? NEEDS_SESSION : group.levels.set(session, params)
    case 'resources/subscribe':
      return session === undefined ? NEEDS_SESSION : group.subscriptions.subscribe(session, params)
    case 'resources/unsubscribe':
      return session === undefined ? NEEDS_SESSION : group.subscriptions.unsubscribe(session, params)
    default:
      return forward(exchange, group)
  }
}

async function forward(exchange: Exchange, group: InstanceGroup): Promise<RawOutcome | InstanceFault> {
  const lent = await group.lend(exchange)
  if ('fault' in lent) return exchange.signal.aborted ? { kind: 'cancelled' } : lent
  try {
    if (group.tasks.isForeign(exchange, lent.use.instance)) return await askOfNone(exchange, lent)
    const outcome = await lent.use.send(exchange, exchange.facts.params, lent)
    return group.tasks.withOwn(exchange, lent.use.instance, outcome)
  } finally {
    lent.release()
  }
}

/**
 * [EXCH.29] Asks about a task that does not exist, in place of one that may be another caller's: the server refuses it in
 * its own way, which depends on method and capabilities.
 */
async function askOfNone(exchange: Exchange, lent: Lent): Promise<RawOutcome> {
  const { params } = exchange.facts
  if (params !== undefined && isAmbiguous(params, ['taskId'])) return TASK_NOT_FOUND
  const asked = params && replaceAt(params, ['taskId'], toJson(NO_TASK))
  const outcome = await lent.use.send(exchange, asked, lent)
  if (outcome.kind === 'result') return TASK_NOT_FOUND
  if (outcome.kind !== 'rpc-error') return outcome
  const named = JSON.stringify(textAt(params, ['taskId']) ?? '').slice(1, -1)
  const rpcError = Buffer.from(outcome.rpcError.toString('utf8').replaceAll(NO_TASK, () => named))
  return { ...outcome, rpcError }
}

/** The server's own introduction, with the version that client and server both speak. */
function introduce(
  instance: Instance | InstanceFault,
  wanted: string | undefined,
): RawOutcome | InstanceFault {
  if ('fault' in instance) return instance
  const asked = CLIENT_VERSIONS.indexOf(wanted ?? '')
  const spoken = CLIENT_VERSIONS.indexOf(instance.version)
  const version = asked > spoken ? CLIENT_VERSIONS[asked] : instance.version
  return {
    kind: 'result',
    result: replaceAt(instance.introduction, ['protocolVersion'], toJson(version)),
  }
}
