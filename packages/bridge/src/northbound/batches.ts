import { BridgeError, discard, type RawJson, type Span } from '@bridgekeeper/protocol'
import { denialError } from '../gates/verdict.ts'
import type { SecurityLog } from '../ports.ts'
import { NULL_ID, readBatch, readMessage } from './message.ts'
import type { NoteContext } from './message-context.ts'
import type { Messages } from './messages.ts'
import type { OpenRequest } from './open-request.ts'
import { type Pieces, readPieces, sizeOf } from './pieces.ts'
import { type AnswerFormat, errorJson, type JsonParts, listParts, type Reply, rpcParts } from './reply.ts'
import {
  guarded,
  sendAccepted,
  sendBatch,
  sendCallRefusal,
  sendEvents,
  sendParseError,
  sendRefusal,
} from './respond.ts'
import type { SessionRequests } from './session-requests.ts'

type BatchContext = Omit<NoteContext, 'at'>

/** Answers batches, for the revisions that have them. */
export class Batches {
  readonly #messages: Messages
  readonly #sessions: SessionRequests
  readonly #log: SecurityLog

  constructor(messages: Messages, sessions: SessionRequests, log: SecurityLog) {
    this.#messages = messages
    this.#sessions = sessions
    this.#log = log
  }

  /** [LOAD.5] Counts the messages of a batch one by one, and answers each as if it came alone. */
  answer(around: BatchContext, format: AnswerFormat): void {
    const { request, open, body } = around
    const { response } = open
    const items = readBatch(request.headers, body)
    const messages = Array.isArray(items) ? items.length : 1
    const spent = open.spend(body.length, messages)
    if (spent !== undefined) return this.#log.afterWritten(() => sendRefusal(response, spent))
    if (items === undefined) return sendParseError(response)
    if (items instanceof BridgeError) return sendCallRefusal(response, NULL_ID, items)
    const unknown = this.#sessions.refusal(request, open)
    if (unknown !== undefined) return sendCallRefusal(response, NULL_ID, unknown)
    // Each answer of an exchange listens for the end of the response.
    response.setMaxListeners(response.getMaxListeners() + items.length)
    const replies = repliesOf(open, format)
    this.#answerEach(around, items, replies)
    replies.end()
    open.sent()
  }

  /** Notes between two requests go to the session together. */
  #answerEach(around: BatchContext, items: readonly Span[], replies: BatchReply): void {
    let notes: Span[] = []
    const forward = (): void => {
      if (notes.length > 0) this.#messages.forward(around, notes, replies.nextNotes())
      notes = []
    }
    for (const at of items) {
      const message = readMessage(around.body, at)
      if (message === undefined) continue
      if (message.kind === 'notification' || message.kind === 'response') {
        if (this.#messages.take({ ...around, at }, message) === 'for-session') notes.push(at)
        continue
      }
      forward()
      const reply = replies.next()
      guarded(around.open.response, () => this.#messages.answerRequest({ ...around, at, reply }, message))
    }
    forward()
  }
}

function repliesOf(open: OpenRequest, format: AnswerFormat): BatchReply {
  const { response } = open
  const hold = (sizeBytes: number): BridgeError | undefined => {
    const refused = open.hold(sizeBytes)
    return refused && denialError(refused)
  }
  return new BatchReply(hold, (answers, refused) => {
    if (open.isGone) return
    if (answers.length === 0 && refused !== undefined) sendCallRefusal(response, NULL_ID, refused)
    else if (answers.length === 0) sendAccepted(response)
    else if (format === 'json') sendBatch(response, answers)
    else sendEvents(response, answers)
  })
}

/** Collects the answers of a batch in the order of its requests. */
class BatchReply {
  readonly #answers: JsonParts[] = []
  readonly #hold: (sizeBytes: number) => BridgeError | undefined
  readonly #send: (answers: readonly JsonParts[], refused: BridgeError | undefined) => void
  #waiting = 1
  #refused: BridgeError | undefined

  /**
   * @param hold counts an answer until all are sent; returns why it may not be held
   * @param send gets all answers, and the error if notes were refused
   */
  constructor(
    hold: (sizeBytes: number) => BridgeError | undefined,
    send: (answers: readonly JsonParts[], refused: BridgeError | undefined) => void,
  ) {
    this.#hold = hold
    this.#send = send
  }

  /** The reply to the next request. */
  next(): Reply {
    const index = this.#answers.push([]) - 1
    this.#waiting++
    const put = (parts: JsonParts): void => {
      this.#answers[index] = parts
      this.#settle()
    }
    const fail = (id: RawJson, error: BridgeError): void => put(rpcParts(id, 'error', errorJson(error)))
    const take = (id: RawJson, parts: JsonParts): void => {
      const refused = this.#hold(sizeOf(parts))
      if (refused === undefined) put(parts)
      else fail(id, refused)
    }
    const collect = (id: RawJson, pieces: Pieces): void => {
      // Counted before it arrives: a batch has many answers, each of which may be large.
      const refused = this.#hold(sizeOf(pieces))
      if (refused !== undefined) {
        pieces.forEach(discard)
        return fail(id, refused)
      }
      readPieces(pieces, (parts) => {
        if (parts === undefined) fail(id, new BridgeError('outcome_unknown'))
        else put(parts)
      })
    }
    return {
      large: (id, pieces) => collect(id, pieces),
      result: (id, result) => take(id, rpcParts(id, 'result', result)),
      error: (id, error) => take(id, rpcParts(id, 'error', error)),
      whole: (id, answer) => take(id, [answer]),
      list: (id, tools, more) => take(id, listParts(id, tools, more)),
      refuse: (id, error) => take(id, rpcParts(id, 'error', errorJson(error))),
    }
  }

  /** Waits for the end of notes. @returns takes the error, if any */
  nextNotes(): (error: BridgeError | undefined) => void {
    this.#waiting++
    return (error) => {
      this.#refused ??= error
      this.#settle()
    }
  }

  /** Call after the last `next`. */
  end(): void {
    this.#settle()
  }

  #settle(): void {
    this.#waiting--
    if (this.#waiting === 0) this.#send(this.#answers, this.#refused)
  }
}
