import { isUtf8 } from 'node:buffer'
import { isObject, objectMembers, parseJson, type RawJson, type Span, stringAt } from '@bridgekeeper/protocol'
import type { ServerInput } from './server-input.ts'

/** How a request to a local server ended. */
export type RawOutcome =
  | { readonly kind: 'result'; readonly result: RawJson }
  | { readonly kind: 'rpc-error'; readonly rpcError: RawJson; readonly message: string }
  /** The answer cannot be handed on; `parsed` is its result, where it is JSON that only breaks a bound. */
  | { readonly kind: 'invalid'; readonly detail: string; readonly parsed?: ParsedResult }
  | { readonly kind: 'cancelled' }
  /** The server ended first. */
  | { readonly kind: 'ended' }
  /** Nothing was sent: the server does not read what already waits for it. */
  | { readonly kind: 'full' }

export interface ParsedResult {
  readonly value: unknown
  /** Length of the line that held it. */
  readonly bytes: number
}

/** Of our requests; the SDK's client beside us numbers its own. */
const ID_PREFIX = 'bk-'
const OPEN_BRACE = 0x7b

/** Requests whose answers are kept as the bytes that the server wrote. */
export class RawCalls {
  readonly #waiting = new Map<string, (outcome: RawOutcome) => void>()
  readonly #input: ServerInput
  #lastId = 0
  #ended = false

  constructor(input: ServerInput) {
    this.#input = input
  }

  /**
   * Sends one request. When the signal aborts, the server is told, and its answer is dropped.
   *
   * @param params one JSON object
   */
  start(method: string, params: RawJson, signal: AbortSignal): Promise<RawOutcome> {
    if (signal.aborted) return Promise.resolve({ kind: 'cancelled' })
    if (this.#ended) return Promise.resolve({ kind: 'ended' })
    if (!this.#input.hasRoom) return Promise.resolve({ kind: 'full' })
    const id = `${ID_PREFIX}${++this.#lastId}`
    return new Promise((resolve) => {
      const cancel = () => {
        this.#input.write(cancellation(id))
        this.#settle(id, { kind: 'cancelled' })
      }
      signal.addEventListener('abort', cancel, { once: true })
      this.#waiting.set(id, (outcome) => {
        signal.removeEventListener('abort', cancel)
        resolve(outcome)
      })
      this.#input.write(requestLine(id, method, params))
    })
  }

  /** Takes a line that answers one of these requests; `false` when it does not. */
  take(line: Buffer, members: ReadonlyMap<string, Span> | undefined): boolean {
    if (members === undefined) return this.#takeUnfit(line)
    const id = stringAt(line, members.get('id'))
    if (id === undefined || !id.startsWith(ID_PREFIX) || members.has('method')) return false
    this.#settle(id, readAnswer(line, members))
    return true
  }

  /** An answer that breaks a bound of the wire may still be seen to be one of ours. */
  #takeUnfit(line: Buffer): boolean {
    const value = line[0] === OPEN_BRACE ? parseJson(line.toString('utf8'))?.value : undefined
    if (!isObject(value) || typeof value.id !== 'string' || 'method' in value) return false
    if (!value.id.startsWith(ID_PREFIX)) return false
    const detail = 'it is not plain JSON, is nested too deep, or has keys that are refused'
    this.#settle(value.id, { kind: 'invalid', detail, parsed: { value: value.result, bytes: line.length } })
    return true
  }

  /** Ends every request that still waits, and any to come. */
  endAll(): void {
    this.#ended = true
    for (const id of [...this.#waiting.keys()]) this.#settle(id, { kind: 'ended' })
  }

  #settle(id: string, outcome: RawOutcome): void {
    const settle = this.#waiting.get(id)
    this.#waiting.delete(id)
    settle?.(outcome)
  }
}

function readAnswer(line: Buffer, members: ReadonlyMap<string, Span>): RawOutcome {
  const result = members.get('result')
  const error = members.get('error')
  if (result !== undefined && error === undefined) {
    if (line[result[0]] !== OPEN_BRACE) return invalid('it is not an object')
    return { kind: 'result', result: asUtf8(line.subarray(...result)) }
  }
  if (error === undefined || result !== undefined) return invalid('it has not one of result and error')
  const rpcError = asUtf8(line.subarray(...error))
  const value = parseJson(rpcError.toString('utf8'))?.value
  if (!isObject(value) || !Number.isSafeInteger(value.code) || typeof value.message !== 'string') {
    return invalid('it is an error without a usable code or message')
  }
  return { kind: 'rpc-error', rpcError, message: value.message }
}

/** A bridge ends the whole connection over a text frame that is not UTF-8. */
function asUtf8(bytes: RawJson): RawJson {
  return isUtf8(bytes) ? bytes : Buffer.from(bytes.toString('utf8'))
}

function requestLine(id: string, method: string, params: RawJson): Buffer {
  const head = `{"jsonrpc":"2.0","id":"${id}","method":${JSON.stringify(method)},"params":`
  return Buffer.concat([Buffer.from(head), oneLine(params), Buffer.from('}\n')])
}

/**
 * A newline inside the payload would end the message, and begin a second one of the payload's making.
 * Between the tokens of JSON, the only place for it, a space means the same.
 */
function oneLine(json: RawJson): RawJson {
  if (!json.includes(0x0a) && !json.includes(0x0d)) return json
  return Buffer.from(json.map((byte) => (byte === 0x0a || byte === 0x0d ? 0x20 : byte)))
}

function cancellation(requestId: string): Buffer {
  return Buffer.from(
    `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"${requestId}","reason":"The caller no longer waits."}}\n`,
  )
}

function invalid(detail: string): RawOutcome {
  return { kind: 'invalid', detail }
}

/** The members of a result, for those results that are looked into. */
export function parseResult(result: RawJson): Record<string, unknown> | undefined {
  if (objectMembers(result) === undefined) return undefined
  const value = parseJson(result.toString('utf8'))?.value
  return isObject(value) ? value : undefined
}
