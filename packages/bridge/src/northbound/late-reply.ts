import type { BridgeError, RawJson } from '@bridgekeeper/protocol'
import type { System } from '../ports.ts'
import { EventStream } from './event-stream.ts'
import type { OpenRequest } from './open-request.ts'
import type { Pieces } from './pieces.ts'
import { errorJson, listParts, type Reply, rpcParts } from './reply.ts'
import { guarded } from './respond.ts'
import { BEGIN_MS } from './stream-reply.ts'
import type { AuthenticateFacts } from './www-authenticate.ts'

/** [STREAM.4] Answers a call whose caller reads events: if the call lasts, the answer begins as a stream. */
export class LateReply implements Reply {
  readonly #open: OpenRequest
  readonly #reply: Reply
  readonly #stream: EventStream
  readonly #cancelTimer: () => void

  /** @param reply takes an answer that comes soon */
  constructor(open: OpenRequest, reply: Reply, system: System) {
    this.#open = open
    this.#reply = reply
    this.#stream = new EventStream(open, system)
    this.#cancelTimer = system.after(BEGIN_MS, () =>
      guarded(open.response, () => {
        if (!open.isGone) this.#stream.comment()
      }),
    )
  }

  result(id: RawJson, result: RawJson): void {
    if (this.#isSoon()) this.#reply.result(id, result)
    else this.#send(rpcParts(id, 'result', result))
  }

  error(id: RawJson, error: RawJson, httpStatus?: number): void {
    if (this.#isSoon()) this.#reply.error(id, error, httpStatus)
    else this.#send(rpcParts(id, 'error', error))
  }

  list(id: RawJson, tools: Buffer, more: string): void {
    if (this.#isSoon()) this.#reply.list(id, tools, more)
    else this.#send(listParts(id, tools, more))
  }

  whole(id: RawJson, answer: RawJson, httpStatus: number): void {
    if (this.#isSoon()) this.#reply.whole(id, answer, httpStatus)
    else this.#send([answer])
  }

  large(id: RawJson, answer: Pieces, httpStatus: number, wrote: () => void): void {
    if (this.#isSoon()) this.#reply.large(id, answer, httpStatus, wrote)
    else this.#send(answer)
  }

  refuse(id: RawJson, error: BridgeError, authenticate?: AuthenticateFacts): void {
    if (this.#isSoon()) this.#reply.refuse(id, error, authenticate)
    else this.#send(rpcParts(id, 'error', errorJson(error)))
  }

  #isSoon(): boolean {
    this.#cancelTimer()
    return !this.#stream.hasBegun
  }

  #send(parts: Pieces): void {
    if (this.#open.response.destroyed) return
    this.#stream.message(parts)
    this.#stream.end()
  }
}
