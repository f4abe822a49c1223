import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { BridgeError, type ExchangeSession, type RawJson, type Span } from '@bridgekeeper/protocol'
import type { ExchangeEnd, ExchangeReader, Opening } from '../exchanges/exchange.ts'
import { deny } from '../gates/verdict.ts'
import type { System } from '../ports.ts'
import type { Dispatcher } from '../router/dispatcher.ts'
import { versionOf } from './exchange-requests.ts'
import type { McpSessions } from './mcp-session.ts'
import { acceptsEvents } from './media.ts'
import { NULL_ID } from './message.ts'
import type { OpenRequest } from './open-request.ts'
import { sendCallRefusal, sendRefusal } from './respond.ts'
import { StandingReply } from './standing-reply.ts'

const BATCH_START = Buffer.from('[')
const BATCH_COMMA = Buffer.from(',')
const BATCH_END = Buffer.from(']')
const EVENT_ID = /^([\w-]{1,128})_(\d{1,15})$/

/** Handles everything of an MCP session except requests: notes, readers of its streams, and its end. */
export class SessionRequests {
  readonly #dispatcher: Dispatcher
  readonly #sessions: McpSessions
  readonly #system: System

  constructor(dispatcher: Dispatcher, sessions: McpSessions, system: System) {
    this.#dispatcher = dispatcher
    this.#sessions = sessions
    this.#system = system
  }

  /**
   * Sends notifications and answers of one request to the session.
   * @param done receives the error if they are refused
   */
  notes(
    { request: { headers }, open, body }: { request: IncomingMessage; open: OpenRequest; body: Buffer },
    serverName: string,
    spans: readonly Span[] | undefined,
    done: (error: BridgeError | undefined) => void,
  ): void {
    const session = this.#sessions.find(headers, open.caller)
    if (session === undefined || session instanceof BridgeError) return done(session)
    const message = spans === undefined ? body : batchOf(body, spans)
    const opening = { ...openingOf(serverName, 'note', headers, session), message }
    const exchange = this.#dispatcher.open(open.caller, opening, new EndReader((end) => done(errorOf(end))))
    open.onEnd(() => {
      if (open.hasEnded) exchange.cancel()
    })
  }

  /** Answers GET with messages that belong to no request, or with the rest of a stream that was cut. */
  read(request: IncomingMessage, open: OpenRequest, serverName: string): void {
    const { headers } = request
    const session = this.#sessionOf(headers, open)
    if (session === undefined) return
    if (!acceptsEvents(headers)) return sendRefusal(open.response, deny('not_acceptable'))
    const resume = resumeOf(headers)
    if (resume instanceof BridgeError) return sendCallRefusal(open.response, NULL_ID, resume)
    const standing = open.stand()
    if (standing !== undefined) return sendRefusal(open.response, standing)
    const reader = new StandingReply(open, resume?.id, this.#system)
    const opening = { ...openingOf(serverName, 'stream', headers, session), ...(resume && { resume }) }
    reader.follow(this.#dispatcher.open(open.caller, opening, reader))
  }

  /** Ends the session. */
  remove({ headers }: IncomingMessage, open: OpenRequest, serverName: string): void {
    const session = this.#sessionOf(headers, open)
    if (session === undefined) return
    const { response } = open
    const opening = openingOf(serverName, 'delete', headers, session)
    const reader = new EndReader((end) => {
      if (open.hasEnded || response.destroyed) return
      const error = errorOf(end)
      if (error !== undefined) sendCallRefusal(response, NULL_ID, error)
      else response.writeHead(204).end()
    })
    this.#dispatcher.open(open.caller, opening, reader)
  }

  /** Why the session of a request is refused. */
  refusal({ headers }: IncomingMessage, { caller }: OpenRequest): BridgeError | undefined {
    const found = this.#sessions.find(headers, caller)
    return found instanceof BridgeError ? found : undefined
  }

  /** @returns `undefined` if the request was refused */
  #sessionOf(headers: IncomingHttpHeaders, { caller, response }: OpenRequest): ExchangeSession | undefined {
    const session = this.#sessions.find(headers, caller) ?? new BridgeError('session_required')
    if (!(session instanceof BridgeError)) return session
    sendCallRefusal(response, NULL_ID, session)
    return undefined
  }
}

function openingOf(
  serverName: string,
  kind: 'note' | 'stream' | 'delete',
  headers: IncomingHttpHeaders,
  session: ExchangeSession,
): Opening {
  const none = { method: undefined, name: undefined }
  return {
    serverName,
    kind,
    era: '2025',
    ...none,
    version: versionOf(headers),
    session,
    streams: kind === 'stream',
  }
}

/** The position from which the caller wants to read on. */
function resumeOf({ 'last-event-id': eventId }: IncomingHttpHeaders): Opening['resume'] | BridgeError {
  if (eventId === undefined || eventId === '') return undefined
  const [, id, after] = EVENT_ID.exec(String(eventId)) ?? []
  return id === undefined ? new BridgeError('stream_unknown') : { id, after: Number(after) }
}

function batchOf(body: Buffer, spans: readonly Span[]): RawJson {
  const parts = spans.flatMap(([start, end], at) => [
    at === 0 ? BATCH_START : BATCH_COMMA,
    body.subarray(start, end),
  ])
  return Buffer.concat([...parts, BATCH_END])
}

/** Reads an exchange that has only an end. */
class EndReader implements ExchangeReader {
  readonly #done: (end: ExchangeEnd) => void

  constructor(done: (end: ExchangeEnd) => void) {
    this.#done = done
  }

  accepted(): void {}

  message(): void {}

  ended(end: ExchangeEnd): void {
    this.#done(end)
  }
}

function errorOf(end: ExchangeEnd): BridgeError | undefined {
  if (end.kind !== 'answered') return end.error
  if (end.status < 300) return undefined
  return new BridgeError(end.status === 404 ? 'session_unknown' : 'request_invalid')
}
