import type { Bridge, End, Opened } from './exchanges.ts'
import { call, envelope } from './exchanges.ts'

/** Everything that a client can be asked. */
export const ASKABLE = { sampling: {}, elicitation: {}, roots: {} }

export interface Round {
  readonly requestState: string
  readonly inputRequests: Readonly<Record<string, { readonly method: string; readonly params: object }>>
  /** Keys of the questions, in their order. */
  readonly keys: readonly string[]
}

/** Opens a request of the 2026 era. */
export function open2026(bridge: Bridge, message: object, opened: Opened = {}): string {
  return bridge.open({ era: '2026', message, ...opened })
}

export async function ask2026(bridge: Bridge, message: object, opened: Opened = {}): Promise<End> {
  return bridge.end(open2026(bridge, message, opened))
}

/** A call of a tool in the 2026 era, of a client that can be asked everything. @param more parameters */
export function call2026(name: string, args: object = {}, more: object = {}, id: unknown = 1): object {
  const message = call(name, args, id, envelope({}, ASKABLE)) as { params: object }
  return { ...message, params: { ...message.params, ...more } }
}

/** @throws Error if the server asks nothing */
export function roundOf({ json }: End): Round {
  const result = json?.result as (Round & { readonly resultType: string }) | undefined
  if (result?.resultType !== 'input_required') throw new Error(`No round: ${JSON.stringify(json)}`)
  return { ...result, keys: Object.keys(result.inputRequests) }
}

/** Parameters that answer a round. @param answers by position */
export function answersTo({ requestState, keys }: Round, ...answers: readonly object[]): object {
  const given = answers.map((answer, at) => [keys[at], answer])
  return { requestState, inputResponses: Object.fromEntries(given) }
}

/** The text of a tool's result. */
export function textOf({ json }: End): string {
  const result = json?.result as { readonly content: readonly { readonly text: string }[] } | undefined
  return result?.content[0]?.text ?? ''
}

/** A form that the user filled in. */
export function form(content: object): object {
  return { action: 'accept', content }
}

/** Answer of a model. */
export function said(text: string): object {
  return { role: 'assistant', model: 'm', content: { type: 'text', text } }
}
