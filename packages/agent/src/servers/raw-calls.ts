import { type ErrorCode, isObject, parseJson, type RawJson, unreachable } from '@bridgekeeper/protocol'
import type { LongLine } from './lines.ts'
import {
  type Answer,
  brokenId,
  hasMethod,
  idNumber,
  type Members,
  mayBeAnswer,
  readAnswer,
  tooLarge,
  unreadable,
} from './rpc-answer.ts'
import { cancellationLine, requestLine } from './rpc-lines.ts'
import type { ServerInput } from './server-input.ts'

/** How a request to a local server ended. */
export type RawOutcome =
  | Answer
  | { readonly kind: 'cancelled' }
  /** The server ended first. */
  | { readonly kind: 'ended' }
  /** Nothing was sent: the server does not read its pending input. */
  | { readonly kind: 'full' }

/** The code and detail of a request without an answer. */
export function failureOf(
  outcome: Exclude<RawOutcome, { kind: 'result' | 'rpc-error' }>,
): readonly [code: ErrorCode, detail?: string] {
  switch (outcome.kind) {
    case 'invalid':
      return [outcome.code, `It was dropped, because ${outcome.detail}.`]
    case 'cancelled':
      return ['call_cancelled']
    case 'ended':
      return ['server_exited']
    case 'full':
      return ['too_many_calls', 'The local server does not read its pending requests.']
    default:
      return unreachable(outcome)
  }
}

interface Waiting {
  readonly method: string
  readonly settle: (outcome: RawOutcome) => void
}

/** Methods that a server may send as well as a client. */
const BOTH_WAYS = /^(?:ping$|tasks\/)/

/**
 * All requests to one local server. Ids are integers, which every server accepts. Keeps answers as the bytes
 * that the server wrote.
 */
export class RawCalls {
  readonly #waiting = new Map<number, Waiting>()
  readonly #input: ServerInput
  readonly #onDropped: (reason: string) => void
  #lastId = 0
  /** Notifications that the server may still answer, wrongly and without an id, and the last id before them. */
  #notes = 0
  #lastIdBeforeNote = 0
  #ended = false

  /** @param onDropped receives the reason why an answer was dropped */
  constructor(input: ServerInput, onDropped: (reason: string) => void) {
    this.#input = input
    this.#onDropped = onDropped
  }

  /**
   * Sends a request. If the signal aborts, the server gets a cancellation, and its answer is dropped.
   *
   * @param params one JSON object
   * @param sent receives the request's id, before the server can answer
   */
  start(
    method: string,
    params: RawJson | undefined,
    signal: AbortSignal,
    sent?: (id: number) => void,
  ): Promise<RawOutcome> {
    if (signal.aborted) return Promise.resolve({ kind: 'cancelled' })
    if (this.#ended) return Promise.resolve({ kind: 'ended' })
    if (!this.#input.hasRoom) return Promise.resolve({ kind: 'full' })
    const id = ++this.#lastId
    return new Promise((resolve) => {
      const cancel = () => {
        this.notified()
        this.#input.write(cancellationLine(id))
        this.#settle(id, { kind: 'cancelled' })
      }
      signal.addEventListener('abort', cancel, { once: true })
      const settle = (outcome: RawOutcome) => {
        signal.removeEventListener('abort', cancel)
        resolve(outcome)
      }
      this.#waiting.set(id, { method, settle })
      sent?.(id)
      this.#input.write(requestLine(id, method, params))
    })
  }

  /**
   * Whether a request from the server only repeats a pending one of ours, as a terminal does, or a server that logs
   * what it receives.
   */
  isEcho(id: number | null | undefined, method: string, amongNoise: boolean): boolean {
    if (typeof id !== 'number' || (BOTH_WAYS.test(method) && !amongNoise)) return false
    return this.#waiting.get(id)?.method === method
  }

  /** A notification is sent. Some servers answer it with an error, which must not end a request. */
  notified(): void {
    this.#notes++
    this.#lastIdBeforeNote = this.#lastId
  }

  /** Takes an answer; `false` for any other message, such as a log line in JSON. */
  take(line: Buffer, members: Members): boolean {
    const hasOutcome = members.has('result') || members.has('error')
    const isAnswer = members.has('jsonrpc')
      ? members.has('id') || hasOutcome
      : members.has('id') && hasOutcome
    if (hasMethod(line, members) || !isAnswer) return false
    const id = idNumber(line, members.get('id'))
    if (id === undefined) return false
    if (id !== null) return this.#answer(id, readAnswer(line, members))
    return this.#answerWithoutId(readAnswer(line, members))
  }

  /**
   * Takes a text that is not a message but names a pending request, or can only answer the one that is pending;
   * `false` for any other text.
   */
  takeBroken(text: Buffer): boolean {
    const [first, ...others] = this.#waiting.keys()
    const only = others.length === 0 && mayBeAnswer(text) ? first : undefined
    const id = brokenId(text, text.subarray(-256)) ?? only
    return id !== undefined && this.#waiting.has(id) && this.#answer(id, unreadable(text))
  }

  /** Takes a line that was too long to keep, if it answers a pending request. */
  takeLong(line: LongLine, maxBytes: number): boolean {
    const id = brokenId(line.head, line.tail)
    return id !== undefined && this.#waiting.has(id) && this.#answer(id, tooLarge(line, maxBytes))
  }

  /** Settles every pending request, and each later one at once. */
  endAll(): void {
    this.#ended = true
    for (const id of [...this.#waiting.keys()]) this.#settle(id, { kind: 'ended' })
  }

  #answer(id: number, answer: Answer): true {
    if (id > this.#lastIdBeforeNote) this.#notes = 0
    if (id < 1 || id > this.#lastId) this.#onDropped('an answer with the id of no request was dropped')
    else if (answer.kind === 'invalid') this.#onDropped(`an answer was dropped, because ${answer.detail}`)
    this.#settle(id, answer)
    return true
  }

  /**
   * A server that could not read a request's id answers without one. The answer is accepted if only one
   * request is pending, and no notification is to which it may belong.
   */
  #answerWithoutId(answer: Answer): true {
    const [id, ...others] = this.#waiting.keys()
    const isOfNote = this.#notes > 0
    if (isOfNote) this.#notes--
    else if (id !== undefined && others.length === 0) return this.#answer(id, answer)
    this.#onDropped('an answer without an id was dropped')
    return true
  }

  #settle(id: number, outcome: RawOutcome): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    waiting?.settle(outcome)
  }
}

/** Parses the members of a result. */
export function parseResult(result: RawJson): Record<string, unknown> | undefined {
  const value = parseJson(result.toString('utf8'))?.value
  return isObject(value) ? value : undefined
}
