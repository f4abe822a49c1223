import {
  cleanText,
  codes,
  type ErrorCode,
  encode,
  type OutgoingFrame,
  outgoingExchange,
  type RawJson,
} from '@bridgekeeper/protocol'

/** How an exchange ends. */
export interface End {
  /** HTTP status of an answer that is not part of a stream. */
  readonly status: number
  /** The JSON-RPC answer, with the caller's id. */
  readonly message?: RawJson
  /** Why there is no message. */
  readonly code?: ErrorCode
  /** For a person. */
  readonly error?: string
}

/** An end without a message. @param detail follows the code's own text */
export function failedEnd(code: ErrorCode, detail?: string): End {
  const { http, message } = codes[code]
  return { status: http, code, error: cleanText(detail === undefined ? message : `${message} ${detail}`) }
}

/** Receives what exchanges and streams send to those who read them. */
export type Sink = Pick<Outlet, 'accepted' | 'message' | 'end'>

/** Frames of exchanges, for the bridge that is connected now. Without one, they are dropped. */
export class Outlet {
  #send: ((frame: OutgoingFrame) => boolean) | undefined
  #isFlooding: (id: string) => boolean = () => false

  connected(send: (frame: OutgoingFrame) => boolean, isFlooding: (id: string) => boolean): void {
    this.#send = send
    this.#isFlooding = isFlooding
  }

  disconnected(): void {
    this.#send = undefined
  }

  accepted(id: string): void {
    this.#send?.({ id, head: encode({ type: 'accepted', id }), isLast: false })
  }

  /** Sends a message, unless it is too large. @returns `false` if its reader is too slow */
  message(id: string, message: RawJson, number?: number): boolean {
    if (this.#send !== undefined && this.#isFlooding(id)) return false
    this.#send?.(outgoingExchange({ type: 'message', id, ...(number !== undefined && { number }), message }))
    return true
  }

  end(id: string, end: End, number?: number): void {
    const isSent = this.#send?.(endFrame(id, end, number)) ?? true
    if (!isSent) this.#send?.(endFrame(id, failedEnd('result_too_large'), number))
  }
}

function endFrame(id: string, end: End, number: number | undefined): OutgoingFrame {
  return outgoingExchange({ type: 'end', id, ...end, ...(number !== undefined && { number }) })
}
