import { BridgeError, type ErrorCode, type RawJson, toJson } from '@bridgekeeper/protocol'
import type { Directory } from '../directory/directory.ts'
import { machineText, timeText } from './status-text.ts'

/** Failures that a model should explain to its user. All others are faults of the client, or refusals. */
const FOR_MODELS: ReadonlySet<ErrorCode> = new Set([
  'agent_offline',
  'agent_slow',
  'server_unavailable',
  'server_exited',
  'too_many_calls',
  'call_timeout',
  'outcome_unknown',
  'tool_failed',
  'arguments_too_large',
])

/** Member of `_meta` with the stable code. */
const CODE_META_KEY = 'bridgekeeper/code'

/**
 * [AGG.4] Returns the result of a call that failed, in words that a model can pass on. Many clients show JSON-RPC errors
 * to nobody. @returns `undefined` if the failure is a JSON-RPC error
 */
export function failureResult({ code, message, next }: BridgeError): RawJson | undefined {
  if (!FOR_MODELS.has(code)) return undefined
  const content = [{ type: 'text', text: `${message} ${next}` }]
  return toJson({ content, isError: true, _meta: { [CODE_META_KEY]: code } })
}

/** [AGG.5] Says which machine has a local server that cannot be reached, if that machine is asleep. */
export function explained(
  directory: Directory,
  userId: string,
  error: BridgeError,
  serverName: string,
): BridgeError {
  const { code } = error
  if (code !== 'agent_offline' && code !== 'server_not_found') return error
  const machine = directory.sleepingMachine(userId, serverName)
  if (machine === undefined) return error
  const where = `${JSON.stringify(serverName)} is on ${machineText(machine)}, which was connected until ${timeText(machine.leftAtMs)}.`
  return new BridgeError(code === 'agent_offline' ? code : 'server_unavailable', where)
}
