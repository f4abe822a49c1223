import {
  BridgeError,
  bytesAt,
  type ClientTrait,
  isObject,
  parseJson,
  type Span,
} from '@bridgekeeper/protocol'
import { readParams } from './message.ts'

/**
 * Reads the traits of a client from the parameters of its `initialize`. A capability counts in any spelling, such as
 * `true` or `[]`, except `null` and `false`.
 */
export function clientTraits(body: Buffer, params: Span | undefined): readonly ClientTrait[] | BridgeError {
  const members = readParams(body, params, ['capabilities'])
  if (members instanceof BridgeError) return members
  const text = bytesAt(body, members[0])?.toString('utf8') ?? '{}'
  const declared = parseJson(text)?.value
  if (!isObject(declared)) return []
  const { sampling, elicitation, roots, tasks } = declared
  return [
    ...(isDeclared(sampling) ? (['sampling'] as const) : []),
    ...(isDeclared(elicitation) ? elicitationTraits(elicitation) : []),
    ...(isDeclared(roots) ? (['roots'] as const) : []),
    ...(isDeclared(tasks) ? (['tasks'] as const) : []),
    ...(isDeclared(sampling) ? samplingTraits(sampling) : []),
  ]
}

/** More that a client can do when it samples (MCP 2025-11-25, sampling). */
function samplingTraits(sampling: unknown): readonly ClientTrait[] {
  const { tools, context } = isObject(sampling) ? sampling : {}
  return [
    ...(isDeclared(tools) ? (['sampling-tools'] as const) : []),
    ...(isDeclared(context) ? (['sampling-context'] as const) : []),
  ]
}

/** Clients that name no mode mean forms: URLs came later (MCP 2025-11-25, elicitation). */
function elicitationTraits(elicitation: unknown): readonly ClientTrait[] {
  const { form, url } = isObject(elicitation) ? elicitation : {}
  if (!isDeclared(url)) return ['elicitation-form']
  return isDeclared(form) ? ['elicitation-form', 'elicitation-url'] : ['elicitation-url']
}

function isDeclared(capability: unknown): boolean {
  return capability !== undefined && capability !== null && capability !== false
}
