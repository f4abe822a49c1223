import { type ClientTrait, isObject, parseJson, type RawJson, textAt, valueAt } from '@bridgekeeper/protocol'
import { isLevel } from '../exchanges/log-levels.ts'
import { ENVELOPE_KEYS } from '../servers/envelope.ts'
import { withMembers, without } from './members.ts'

/** Properties of a client that its envelope repeats in each request. */
export interface Client2026 {
  readonly traits: readonly ClientTrait[]
  /** The lowest level of log messages that it wants; `undefined` for none. */
  readonly logLevel: string | undefined
}

/** Members of parameters with which a client answers requests of the server, and calls again. */
export const RETRY_MEMBERS = ['inputResponses', 'requestState'] as const

/** Reads the envelope of a request. */
export function readClient(params: RawJson | undefined): Client2026 {
  const logLevel = textAt(params, ['_meta', ENVELOPE_KEYS.logLevel])
  const declared = valueAt(params, ['_meta', ENVELOPE_KEYS.capabilities])
  const capabilities = parseJson(declared?.toString('utf8') ?? '{}')?.value
  return {
    traits: isObject(capabilities) ? traitsOf(capabilities) : [],
    logLevel: isLevel(logLevel) ? logLevel : undefined,
  }
}

/** The parameters that a server of the 2025 era gets: without envelope and without members of a retry. */
export function paramsFor2025(params: RawJson | undefined): RawJson | undefined {
  if (params === undefined) return undefined
  const plain = without(params, RETRY_MEMBERS)
  const meta = valueAt(plain, ['_meta'])
  if (meta === undefined) return plain
  const kept = without(meta, Object.values(ENVELOPE_KEYS))
  return withMembers(plain, { _meta: kept.length > 2 ? kept : undefined })
}

/** Tasks of the 2026 era are other tasks than those of the 2025 era. */
function traitsOf({ sampling, elicitation, roots }: Record<string, unknown>): readonly ClientTrait[] {
  return [
    ...(isObject(sampling) ? samplingTraits(sampling) : []),
    ...(isObject(elicitation) ? elicitationTraits(elicitation) : []),
    ...(isObject(roots) ? (['roots'] as const) : []),
  ]
}

function samplingTraits({ tools, context }: Record<string, unknown>): readonly ClientTrait[] {
  return [
    'sampling',
    ...(isObject(tools) ? (['sampling-tools'] as const) : []),
    ...(isObject(context) ? (['sampling-context'] as const) : []),
  ]
}

/** A client that names no mode means forms. */
function elicitationTraits({ form, url }: Record<string, unknown>): readonly ClientTrait[] {
  if (!isObject(url)) return ['elicitation-form']
  return isObject(form) ? ['elicitation-form', 'elicitation-url'] : ['elicitation-url']
}
