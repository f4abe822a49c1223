import {
  type Era,
  type ErrorCode,
  isAmbiguous,
  type OpenFrame,
  type OutgoingFrame,
  type RawJson,
  unreachable,
} from '@bridgekeeper/protocol'
import { Translation } from '../eras/translation.ts'
import type { ExchangeEvent } from '../events.ts'
import type { Instance } from '../servers/instance.ts'
import type { System } from '../system.ts'
import { Asks } from './asks.ts'
import type { Exchange, ExchangeFacts } from './exchange.ts'
import type { ExchangeFrame, Exchanges } from './exchanges.ts'
import type { InstanceGroup } from './instance-group.ts'
import { InstanceGroups } from './instance-groups.ts'
import { PROGRESS_TOKEN } from './instance-use.ts'
import { idKey, readMessage, readMessages } from './message-bytes.ts'
import { take } from './notes.ts'
import { outcomeEnd } from './outcome-end.ts'
import { failedEnd, Outlet } from './outlet.ts'
import { answer } from './requests.ts'
import { RunningExchanges } from './running-exchanges.ts'
import type { ExchangeServer, ExchangeServers } from './server-port.ts'
import type { Session } from './session.ts'
import type { SessionFile } from './session-file.ts'
import { type SessionError, Sessions } from './sessions.ts'
import { Tasks } from './tasks.ts'

export interface OpenExchangesDeps {
  readonly system: System
  readonly servers: ExchangeServers
  readonly sessionFile: SessionFile
  readonly onEvent: (event: ExchangeEvent) => void
}

/** The exchanges of this machine: hands each frame of the bridge to what it concerns. */
export class OpenExchanges implements Exchanges {
  readonly #deps: OpenExchangesDeps
  readonly #outlet = new Outlet()
  readonly #asks = new Asks()
  readonly #groups: InstanceGroups
  readonly #sessions: Sessions
  readonly #tasks: Tasks
  readonly #running: RunningExchanges
  readonly #translation: Translation

  constructor(deps: OpenExchangesDeps) {
    const { system, onEvent } = deps
    this.#deps = deps
    this.#tasks = new Tasks(system)
    this.#groups = new InstanceGroups({ system, asks: this.#asks, tasks: this.#tasks, onEvent })
    this.#sessions = new Sessions(system, this.#outlet, deps.sessionFile, (session) =>
      this.#sessionGone(session),
    )
    this.#translation = new Translation({ system, groups: this.#groups, asks: this.#asks })
    this.#running = new RunningExchanges({
      ...{ system, outlet: this.#outlet, onEvent },
      onEnd: (exchange) => this.#asks.endExchange(exchange),
    })
  }

  /** Answers a process that nobody uses yet. */
  adopt(server: ExchangeServer, instance: Instance): void {
    this.#groups.of(server, instance.key.era, instance.key.traits).adopt(instance)
  }

  /** A server is being stopped, because its entry was removed or changed. @param next runs instead of it */
  serverStopped(name: string, next: ExchangeServer | undefined): void {
    this.#running.stopOf(name, failedEnd('server_exited', ENTRY_CHANGED))
    this.#groups.drop(name)
    this.#translation.replace(name, next)
    if (next === undefined) return this.#sessions.closeOf(name)
    for (const session of this.#sessions.of(name)) this.#groups.ofSession(next, session)
  }

  connected(send: (frame: OutgoingFrame) => boolean, isFlooding: (id: string) => boolean): void {
    this.#outlet.connected(send, isFlooding)
  }

  disconnected(): void {
    this.#outlet.disconnected()
    this.#running.cancelOf(undefined)
    this.#sessions.detachAll()
  }

  refuse(id: string, code: ErrorCode): void {
    this.#fail(id, code)
  }

  receive(frame: ExchangeFrame): void {
    switch (frame.type) {
      case 'open':
        return this.#open(frame)
      case 'cancel':
        this.#running.cancel(frame.id)
        return this.#sessions.ofExchange(frame.id)?.dismiss(frame.id)
      case 'detach':
        return this.#sessions.ofExchange(frame.id)?.detach(frame.id)
      case 'done':
        return this.#sessions.ofExchange(frame.id)?.done(frame.id)
      case 'revoke':
        return this.#revoke(frame.client)
      case 'end_session':
        return void this.#sessions.end(frame.session, frame.client)
      default:
        return unreachable(frame)
    }
  }

  #open(frame: OpenFrame): void {
    const { id, kind } = frame
    // An exchange with an id in use would get the frames of another one.
    if (this.#running.has(id) || this.#sessions.ofExchange(id) !== undefined) return
    if (kind === 'delete') return this.#delete(frame)
    const server = this.#deps.servers.find(frame.server)
    if (server === undefined) return this.#fail(id, 'server_not_found')
    if (typeof server === 'string') return this.#fail(id, 'server_unavailable', server)
    const session = this.#session(frame)
    if (typeof session === 'string') return this.#fail(id, session)
    switch (kind) {
      case 'request':
        return this.#request(frame, server, session)
      case 'note':
        return this.#note(frame, server, session)
      case 'stream':
        return this.#read(frame, server, session)
      default:
        return unreachable(kind)
    }
  }

  /** Only the 2025 era has sessions. */
  #session({ server, era, session, client }: OpenFrame): Session | SessionError | undefined {
    if (session === undefined || era === '2026') return undefined
    return this.#sessions.open({ serverName: server, client, ...session })
  }

  #request(frame: OpenFrame, server: ExchangeServer, session: Session | undefined): void {
    const { id, client, streams } = frame
    const request = readRequest(frame.message)
    if (typeof request === 'string') return this.#fail(id, request)
    const exchange = this.#running.begin({
      id,
      client,
      session,
      streams,
      serverName: server.name,
      ...request,
    })
    if (typeof exchange === 'string') return this.#fail(id, exchange)
    void this.#run(exchange, frame, server)
  }

  async #run(exchange: Exchange, { era, params: paramHeaders }: OpenFrame, server: ExchangeServer) {
    const { session, callerId, method } = exchange.facts
    const group = this.#group(server, era, session)
    const outcome = await answer(exchange, {
      ...{ server, group, era, paramHeaders },
      translation: this.#translation,
    })
    exchange.end(outcomeEnd(callerId, era, outcome))
    if (session !== undefined && CHOICES.has(method)) this.#deps.sessionFile.store(session)
    const hasBegun = 'kind' in outcome && outcome.kind === 'result'
    if (method === 'initialize' && session !== undefined && !hasBegun) this.#sessions.discard(session)
  }

  #note(frame: OpenFrame, server: ExchangeServer, session: Session | undefined): void {
    const { id, era, client, message } = frame
    const notes = message && readMessages(message)
    if (notes === undefined) return this.#fail(id, 'request_invalid')
    const group = this.#group(server, era, session)
    const running = this.#running.all.filter(({ facts }) => facts.serverName === server.name)
    for (const note of notes) void take(note, { client, session, group, asks: this.#asks, running })
    this.#outlet.end(id, { status: 202 })
  }

  #read({ id, era, resume }: OpenFrame, server: ExchangeServer, session: Session | undefined): void {
    if (session === undefined) return this.#fail(id, 'session_unknown')
    this.#group(server, era, session)
    if (resume === undefined) session.readStanding(id)
    else if (!session.resume(id, resume.id, resume.after)) this.#fail(id, 'stream_unknown')
  }

  #delete({ id, session, client }: OpenFrame): void {
    if (session === undefined || !this.#sessions.end(session.id, client)) this.#fail(id, 'session_unknown')
    else this.#outlet.end(id, { status: 200 })
  }

  /** [EXCH.12] The login of a client was revoked: ends everything that it has here. */
  #revoke(client: string): void {
    this.#running.revoke(client)
    this.#sessions.revoke(client)
    this.#tasks.revoke(client)
    this.#translation.revoke(client)
  }

  #group(server: ExchangeServer, era: Era, session: Session | undefined): InstanceGroup {
    return session === undefined ? this.#groups.of(server, era, []) : this.#groups.ofSession(server, session)
  }

  #sessionGone(session: Session): void {
    this.#running.cancelOf(session)
    this.#asks.endSession(session)
    this.#groups.leave(session)
    this.#translation.leave(session)
  }

  #fail(id: string, code: ErrorCode, detail?: string): void {
    this.#outlet.end(id, failedEnd(code, detail))
  }
}

const ENTRY_CHANGED = 'Its entry in the config file was changed or removed.'
/** Requests that change what a client chose for its session. */
const CHOICES: ReadonlySet<string> = new Set([
  'logging/setLevel',
  'resources/subscribe',
  'resources/unsubscribe',
])

type Request = Pick<ExchangeFacts, 'callerId' | 'method' | 'params'>

/** Reads a request. @returns the code if it is invalid */
function readRequest(raw: RawJson | undefined): Request | ErrorCode {
  const message = raw && readMessage(raw)
  if (message?.method === undefined || message.id === undefined || idKey(message.id) === undefined)
    return 'request_invalid'
  const { id: callerId, method, params } = message
  if (params !== undefined && isAmbiguous(params, PROGRESS_TOKEN)) return 'params_invalid'
  return { callerId, method, params }
}
