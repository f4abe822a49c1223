import { OPEN_BRACE, type RawJson, textAt, toJson, valueAt } from '@bridgekeeper/protocol'
import type { Asks } from './asks.ts'
import type { Exchange } from './exchange.ts'
import type { InstanceGroup } from './instance-group.ts'
import { type CallerMessage, idKey } from './message-bytes.ts'
import type { Session } from './session.ts'

/** Notifications that concern the agent's own conversation with the server. */
const SWALLOWED: ReadonlySet<string> = new Set(['notifications/initialized'])
const ROOTS_CHANGED = 'notifications/roots/list_changed'
const NO_PARAMS: RawJson = Buffer.from('{}')
const INTEGER = /^-?\d+$/
const INVALID_ANSWER = toJson({ code: -32_603, message: 'The answer of the client cannot be read.' })

export interface NoteFacts {
  readonly client: string
  readonly session: Session | undefined
  readonly group: InstanceGroup
  readonly asks: Asks
  /** Requests in flight at this server. */
  readonly running: Iterable<Exchange>
}

/** Handles a notification of a caller, or its answer to a request of a server. */
export async function take(note: CallerMessage, facts: NoteFacts): Promise<void> {
  const { method, params, id } = note
  const { client, session, group, asks } = facts
  if (method === undefined) {
    if (session !== undefined && id !== undefined) asks.answer(session, id, ...readAnswer(note))
    return
  }
  if (method === 'notifications/cancelled') return cancel(params, facts)
  if (method === 'notifications/progress' && session !== undefined)
    return asks.progress(session, method, params ?? NO_PARAMS)
  if (SWALLOWED.has(method) || (method === ROOTS_CHANGED && !group.passesRoots)) return
  const instance = await group.shared(client)
  if (!('fault' in instance)) instance.notify(method, params)
}

/** Reads the one meaning of an answer. Servers ignore an answer in another form, and wait. */
function readAnswer({ result, error }: CallerMessage): readonly ['result' | 'error', RawJson] {
  if (result?.[0] === OPEN_BRACE) return ['result', result]
  const code = valueAt(error, ['code'])?.toString('latin1') ?? ''
  const isError = INTEGER.test(code) && textAt(error, ['message']) !== undefined
  return ['error', isError && error !== undefined ? error : INVALID_ANSWER]
}

function cancel(params: RawJson | undefined, { running, session, client }: NoteFacts): void {
  const key = idKey(valueAt(params, ['requestId']))
  if (key === undefined) return
  const named = [...running].filter(
    ({ callerKey, facts }) => callerKey === key && facts.session === session && facts.client === client,
  )
  // Programs that share a login may use the same id, and nothing but a session tells them apart.
  if (session === undefined && named.length > 1) return
  for (const exchange of named) exchange.cancel()
}
