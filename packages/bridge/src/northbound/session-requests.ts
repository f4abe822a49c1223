import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import {
  BridgeError,
  type ErrorCode,
  type ExchangeSession,
  type RawJson,
  type Span,
} from '@bridgekeeper/protocol'
import type { ExchangeEnd, Opening } from '../exchanges/exchange.ts'
import { deny } from '../gates/verdict.ts'
import type { Caller } from '../ports.ts'
import { MergedStream } from './aggregate/merged-stream.ts'
import { EndReader } from './end-reader.ts'
import { type EventPosition, readEventId } from './event-id.ts'
import { filteredList } from './filtered-list.ts'
import { openFirst } from './first-stream.ts'
import { arrayOf } from './json-edits.ts'
import type { McpSessions } from './mcp-session.ts'
import { NULL_ID, versionOf } from './message.ts'
import { OneServerStream } from './one-server-stream.ts'
import type { OpenRequest } from './open-request.ts'
import { allowsEvents, errorJson } from './reply.ts'
import { sendCallRefusal, sendRefusal, sendRpc } from './respond.ts'
import { ResumedReply } from './resumed-reply.ts'
import { versionFault } from './revision.ts'
import type { StreamParts } from './server-streams.ts'
import type { ToolView } from './tool-view.ts'

/**
 * [SESS.9] Failures of a DELETE that its machine may not have received. The session ends all the same: the machine gets
 * the end again when it connects the next time.
 */
const UNREACHED: ReadonlySet<ErrorCode> = new Set([
  'outcome_unknown',
  'call_timeout',
  'agent_offline',
  'agent_slow',
  'server_unavailable',
  'too_many_calls',
])

/** Handles everything of an MCP session except requests: notes, readers of its streams, and its end. */
export class SessionRequests {
  readonly #sessions: McpSessions
  readonly #parts: StreamParts
  /** Readers at `/mcp`, by the id of their session. */
  readonly #readers = new Map<string, MergedStream>()

  constructor(sessions: McpSessions, parts: StreamParts) {
    this.#sessions = sessions
    this.#parts = parts
  }

  /**
   * Sends notifications and answers of one request to the session.
   * @param done receives the error if they are refused
   */
  notes(
    { request: { headers }, open, body }: { request: IncomingMessage; open: OpenRequest; body: Buffer },
    serverNames: readonly string[],
    spans: readonly Span[] | undefined,
    done: (error: BridgeError | undefined) => void,
  ): void {
    const session = this.#sessions.find(headers, open.caller)
    if (session === undefined || session instanceof BridgeError) return done(session)
    const message = spans === undefined ? body : arrayOf(spans.map((at) => body.subarray(...at)))
    this.#toEach(
      open,
      serverNames,
      (name) => ({ ...openingOf(name, 'note', headers, session), message }),
      done,
    )
  }

  /** @param done receives an error if the session is unknown to a machine, or if no server took it */
  #toEach(
    open: OpenRequest,
    serverNames: readonly string[],
    openingFor: (serverName: string) => Opening,
    done: (error: BridgeError | undefined) => void,
  ): void {
    const ends: (BridgeError | undefined)[] = []
    const ended = (end: ExchangeEnd): void => {
      ends.push(errorOf(end))
      if (ends.length < serverNames.length) return
      const unknown = ends.find((error) => error?.code === 'session_unknown')
      done(unknown ?? (ends.includes(undefined) ? undefined : ends[0]))
    }
    if (serverNames.length === 0) done(undefined)
    for (const name of serverNames) {
      const exchange = this.#parts.dispatcher.open(open.caller, openingFor(name), new EndReader(ended))
      open.onEnd(() => {
        if (open.hasEnded) exchange.cancel()
      })
    }
  }

  /** Answers GET with messages that belong to no request, or with the rest of a stream that was cut. */
  read(request: IncomingMessage, open: OpenRequest, view: ToolView): void {
    const { headers } = request
    const session = this.#sessionOf(headers, open)
    if (session === undefined) return
    if (!allowsEvents(headers)) return sendRefusal(open.response, deny('not_acceptable'))
    const resume = resumeOf(headers)
    if (resume instanceof BridgeError) return sendCallRefusal(open.response, NULL_ID, resume)
    const standing = open.stand()
    if (standing !== undefined) return sendRefusal(open.response, standing)
    const from = resume && { id: resume.id, after: resume.after }
    const openingFor = (name: string, resumed: Opening['resume']): Opening => ({
      ...openingOf(name, 'stream', headers, session),
      ...(resumed && { resume: resumed }),
    })
    if (resume === undefined || resume.isStanding) {
      if (!view.isAggregate) return new OneServerStream(open, this.#parts, view, openingFor).begin(from)
      const stream = new MergedStream(open, this.#parts, view, openingFor)
      this.#newest(session, open, stream)
      return stream.begin(from)
    }
    const reader = new ResumedReply(open, { ...resume, edit: editFor(open.caller) }, this.#parts.system)
    reader.follow(
      openFirst({
        ...{ open, view, reader, parts: this.#parts },
        openingFor: (name) => openingFor(name, from),
      }),
    )
  }

  /** [STREAM.23] A session at `/mcp` has one reader, as at each machine: the newest. */
  #newest({ id }: ExchangeSession, open: OpenRequest, stream: MergedStream): void {
    this.#readers.get(id)?.replace()
    this.#readers.set(id, stream)
    open.onEnd(() => {
      if (this.#readers.get(id) === stream) this.#readers.delete(id)
    })
  }

  /** Ends the session. */
  remove({ headers }: IncomingMessage, open: OpenRequest, view: ToolView): void {
    const session = this.#sessionOf(headers, open)
    if (session === undefined) return
    const { response } = open
    const done = (error: BridgeError | undefined): void => {
      const hasEnded = error === undefined || UNREACHED.has(error.code)
      if (hasEnded) this.#end(session, open)
      if (open.isGone) return
      if (hasEnded) response.writeHead(204).end()
      else sendCallRefusal(response, NULL_ID, error)
    }
    const names = view.machineServers()
    this.#toEach(open, names, (name) => openingOf(name, 'delete', headers, session), done)
  }

  #end(session: ExchangeSession, { caller }: OpenRequest): void {
    this.#sessions.end(session, caller)
    this.#parts.dispatcher.sessionEnded(caller, session.id)
    this.#readers.get(session.id)?.replace()
  }

  /** Why the session of a request is refused. */
  refusal({ headers }: IncomingMessage, { caller }: OpenRequest): BridgeError | undefined {
    return this.#sessions.refusal(headers, caller)
  }

  /** @returns `undefined` if the request was refused */
  #sessionOf(headers: IncomingHttpHeaders, { caller, response }: OpenRequest): ExchangeSession | undefined {
    const session = this.#sessions.find(headers, caller) ?? new BridgeError('session_required')
    const fault = versionFault(headers)
    if (session instanceof BridgeError) sendCallRefusal(response, NULL_ID, session)
    else if (fault === undefined) return session
    else sendRpc(response, NULL_ID, 'error', errorJson(fault.rpcError), fault.httpStatus)
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

/** [SCOPE.2] The bridge does not know what a stream answers. Lists of tools that were filtered cannot be read on. */
function editFor({ scopes }: Caller): ((answer: RawJson) => RawJson | undefined) | undefined {
  return scopes === undefined ? undefined : (answer) => filteredList(answer, () => false)
}

/** The position from which the caller wants to read on. */
function resumeOf({
  'last-event-id': eventId,
}: IncomingHttpHeaders): EventPosition | BridgeError | undefined {
  if (eventId === undefined || eventId === '') return undefined
  return readEventId(String(eventId)) ?? new BridgeError('stream_unknown')
}

function errorOf(end: ExchangeEnd): BridgeError | undefined {
  if (end.kind !== 'answered') return end.error
  if (end.status < 300) return undefined
  return new BridgeError(end.status === 404 ? 'session_unknown' : 'request_invalid')
}
