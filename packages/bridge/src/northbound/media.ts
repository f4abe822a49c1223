import type { IncomingHttpHeaders } from 'node:http'
import { type Denied, deny } from '../gates/verdict.ts'

/** Format of an answer: one JSON text, or an event stream with one message. */
export type AnswerFormat = 'json' | 'events'

const JSON_TYPE = /^application\/json\s*(?:;|$)/i
const CHARSET = /;\s*charset\s*=\s*"?([^\s;"]*)/i
const UTF_8 = /^(?:utf-?8|us-ascii|)$/i
const ACCEPTS_JSON = /(?:application\/json|application\/\*|\*\/\*)\s*(?:,|;|$)/i
const ACCEPTS_EVENTS = /text\/(?:event-stream|\*)\s*(?:,|;|$)/i
const QUALITY_ZERO = /;\s*q\s*=\s*0(?:\.0*)?\s*(?:;|$)/i

/**
 * Refuses a body that is not JSON in UTF-8 as it is. A request without Content-Type is read as JSON.
 * Source: RFC 9110 sections 8.3, 8.4 and 15.5.16.
 */
export function bodyRefusal(headers: IncomingHttpHeaders): Denied | undefined {
  const { 'content-type': type, 'content-encoding': encoding } = headers
  if (encoding !== undefined && !/^\s*(?:identity)?\s*$/i.test(encoding))
    return deny('content_encoding_unsupported')
  // Most callers.
  if (type === 'application/json' || type === undefined || type === '') return undefined
  const isUtf8 = UTF_8.test(CHARSET.exec(type)?.[1] ?? '')
  return JSON_TYPE.test(type) && isUtf8 ? undefined : deny('content_type_unsupported')
}

/** Chooses the format of the answer. @returns `undefined` if the caller accepts neither (RFC 9110 section 12.5.1) */
export function answerFormat({ accept }: IncomingHttpHeaders): AnswerFormat | undefined {
  if (accept === undefined || accept === '' || ACCEPTS_JSON.test(accepted(accept))) return 'json'
  return ACCEPTS_EVENTS.test(accepted(accept)) ? 'events' : undefined
}

/** Whether the caller reads event streams. */
export function acceptsEvents({ accept = '' }: IncomingHttpHeaders): boolean {
  return ACCEPTS_EVENTS.test(accepted(accept))
}

function accepted(accept: string): string {
  return accept.includes('q') ? withoutRefused(accept) : accept
}

function withoutRefused(accept: string): string {
  return accept
    .split(',')
    .filter((range) => !QUALITY_ZERO.test(range))
    .join(',')
}
