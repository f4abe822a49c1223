import { isObject, parseJson } from '@bridgekeeper/protocol'
import { AgentError } from '../errors.ts'
import type { System } from '../system.ts'

/** What a bridge answered to a request. */
export interface Answer {
  readonly status: number
  /** Its JSON object, where it is one. */
  readonly body: Readonly<Record<string, unknown>>
  /** What the bridge's clock says. */
  readonly dateMs: number | undefined
}

/** Nobody answered, or not in time, or with what no bridge answers; trying again may help. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable'
  readonly code = 'bridge_unreachable'
  readonly next = 'Check the URL and the network, then try again.'
}

export interface Question {
  /** Sent as JSON. */
  readonly json?: object
  /** Sent as a form (RFC 6749 appendix B). */
  readonly form?: Readonly<Record<string, string>>
  readonly token?: string
}

const ANSWER_MS = 15_000
const MAX_BYTES = 65_536

/**
 * Asks a bridge over HTTP, by GET or, where there is something to send, by POST. No redirect is followed: whoever
 * may send one would have what was asked.
 *
 * @throws Unreachable, also when the signal aborts
 * @throws AgentError `bridge_refused` for a redirect
 */
export async function ask(
  system: System,
  url: string,
  { json, form, token }: Question,
  signal: AbortSignal,
): Promise<Answer> {
  const limit = new AbortController()
  const cancel = system.schedule(ANSWER_MS, () => limit.abort())
  const body = json === undefined ? form && new URLSearchParams(form).toString() : JSON.stringify(json)
  const type = json === undefined ? 'application/x-www-form-urlencoded' : 'application/json'
  try {
    const response = await fetch(url, {
      method: body === undefined ? 'GET' : 'POST',
      redirect: 'manual',
      signal: AbortSignal.any([signal, limit.signal]),
      headers: {
        accept: 'application/json',
        ...(body !== undefined && { 'content-type': type }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      ...(body !== undefined && { body }),
    })
    const { status } = response
    if (status >= 300 && status <= 399) {
      throw new AgentError('bridge_refused', 'It answered with a redirect, and none is followed.')
    }
    const value = parseJson(await limitedText(response))?.value
    const dateMs = Date.parse(response.headers.get('date') ?? '')
    return { status, body: isObject(value) ? value : {}, dateMs: Number.isNaN(dateMs) ? undefined : dateMs }
  } catch (cause) {
    if (cause instanceof AgentError || cause instanceof Unreachable) throw cause
    throw new Unreachable(`The bridge cannot be reached (${reasonOf(cause)}).`, { cause })
  } finally {
    cancel()
  }
}

async function limitedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  for await (const chunk of response.body ?? []) {
    sizeBytes += chunk.length
    if (sizeBytes > MAX_BYTES)
      throw new Unreachable('The bridge answers with more than any bridge has to say.')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** `fetch` hides why behind one error for all; the code of what is behind it says more, and holds no address. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  if (isObject(cause) && typeof cause.code === 'string') return cause.code
  return cause instanceof Error ? cause.name : 'unknown'
}
