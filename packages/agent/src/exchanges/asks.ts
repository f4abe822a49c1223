import { randomBytes } from 'node:crypto'
import { type RawJson, replaceAt, textAt, toJson, valueAt } from '@bridgekeeper/protocol'
import { oldestOfMost } from '../fair-share.ts'
import type { Instance, ServerMessage } from '../servers/instance.ts'
import type { Exchange } from './exchange.ts'
import { idKey } from './message-bytes.ts'
import type { Session } from './session.ts'

/** Asks that wait for answers, on this machine, of one client and of one session. */
export const MAX_ASKS = 1_024
export const MAX_CLIENT_ASKS = 256
export const MAX_SESSION_ASKS = 64
/** Elicitations by URL that are remembered, and the longest id of one. */
export const MAX_ELSEWHERE = 1_024
export const MAX_ELICITATION_CHARS = 1_024
const ID_BYTES = 18

/** The client that answers a request of a server, and where it reads it. */
export interface Asked {
  readonly session: Session
  /** `undefined` if it belongs to no exchange that is open. */
  readonly exchange: Exchange | undefined
}

/** Gets the answers. Usually the instance that asked. */
export type Asker = Pick<Instance, 'answer' | 'notify'>

interface Ask extends Asked {
  readonly asker: Asker
  /** JSON of the id that the server gave. */
  readonly serverId: RawJson
  /** The server's token for progress of the answer, as text that is equal for equal tokens. */
  readonly progressKey: string | undefined
}

/** A client whose user does something elsewhere. Each process names its elicitations. */
interface Elsewhere {
  readonly asker: Asker
  readonly elicitationId: string
  readonly serverName: string
  readonly client: string
  /** Until it is over. Then the id stays taken, so that no other session gets the notification. */
  session: Session | undefined
}

/** Requests of servers that wait for the answer of a client. Clients see them under ids that nobody can guess. */
export class Asks {
  readonly #asks = new Map<string, Ask>()
  /** The oldest first. */
  #elsewhere: readonly Elsewhere[] = []
  readonly #ended = new WeakSet<Asker>()

  /** Passes a request on. @returns whether there was room for it */
  pass(asker: Asker, serverId: RawJson, { params, raw }: ServerMessage, asked: Asked): boolean {
    if (this.#isFull(asked.session)) return false
    const id = randomBytes(ID_BYTES).toString('base64url')
    const progressKey = idKey(valueAt(params, ['_meta', 'progressToken']))
    this.#asks.set(id, { ...asked, asker, serverId, progressKey })
    this.#noteElsewhere(asker, textAt(params, ['elicitationId']), asked.session)
    send(asked, replaceAt(raw, ['id'], toJson(id)))
    return true
  }

  #isFull(of: Session): boolean {
    const ofClient = [...this.#asks.values()].filter(
      ({ session }) => session.facts.client === of.facts.client,
    )
    const ofSession = ofClient.filter(({ session }) => session === of)
    return (
      this.#asks.size >= MAX_ASKS ||
      ofClient.length >= MAX_CLIENT_ASKS ||
      ofSession.length >= MAX_SESSION_ASKS
    )
  }

  /** Passes an answer to the server that asked this session. */
  answer(session: Session, id: RawJson, member: 'result' | 'error', value: RawJson): void {
    const ask = this.#take(idKey(id), (found) => found.session === session)
    ask?.asker.answer(ask.serverId, member, value)
  }

  /** Passes a notification about an answer's progress to the server that asked this session. */
  progress(session: Session, method: string, params: RawJson): void {
    const key = idKey(valueAt(params, ['progressToken']))
    for (const ask of this.#asks.values()) {
      if (ask.session === session && key !== undefined && ask.progressKey === key)
        return ask.asker.notify(method, params)
    }
  }

  /** Tells a client that its user is done elsewhere (URL elicitation). */
  completed(instance: Instance, serverName: string, { params, raw }: ServerMessage): void {
    const id = textAt(params, ['elicitationId'])
    const named = this.#elsewhere.filter(({ elicitationId }) => elicitationId === id)
    const own = named.findLast(({ asker }) => asker === instance)
    if (own !== undefined) return own.session?.notify(raw)
    // A restarted server may complete what its earlier process began.
    const left = named.filter((each) => this.#ended.has(each.asker) && each.serverName === serverName)
    const [only, ...others] = new Set(left.map(({ session }) => session))
    if (others.length === 0) only?.notify(raw)
  }

  /** The server no longer waits for an answer: tells the client. */
  cancelled(instance: Instance, { params, raw }: ServerMessage): void {
    const key = idKey(valueAt(params, ['requestId']))
    for (const [id, ask] of this.#asks) {
      if (ask.asker !== instance || idKey(ask.serverId) !== key) continue
      this.#asks.delete(id)
      return send(ask, replaceAt(raw, ['params', 'requestId'], toJson(id)))
    }
  }

  /** Refuses the asks of an exchange that is over. Its client learns of it, unless it cancelled the exchange itself. */
  endExchange(exchange: Exchange): void {
    const refused = this.#refuse((ask) => ask.exchange === exchange)
    if (!exchange.signal.aborted) for (const id of refused) exchange.facts.session?.notify(withdrawal(id))
  }

  endSession(session: Session): void {
    this.#refuse((ask) => ask.session === session)
    for (const each of this.#elsewhere) if (each.session === session) each.session = undefined
  }

  /** Withdraws the asks of an instance that has ended. */
  endInstance(instance: Instance): void {
    this.#ended.add(instance)
    for (const [id, ask] of this.#asks) {
      if (ask.asker !== instance) continue
      this.#asks.delete(id)
      send(ask, withdrawal(id))
    }
  }

  /** @returns the ids of what was refused, as clients know them */
  #refuse(isOver: (ask: Ask) => boolean): readonly string[] {
    const over = [...this.#asks].filter(([, ask]) => isOver(ask))
    for (const [id, ask] of over) {
      this.#asks.delete(id)
      ask.asker.answer(ask.serverId, 'error', NOT_WAITING)
    }
    return over.map(([id]) => id)
  }

  #noteElsewhere(asker: Asker, elicitationId: string | undefined, session: Session): void {
    if (elicitationId === undefined || elicitationId.length > MAX_ELICITATION_CHARS) return
    const { serverName, client } = session.facts
    this.#elsewhere = [...this.#elsewhere, { asker, elicitationId, serverName, client, session }]
    const excess = this.#elsewhere.length > MAX_ELSEWHERE ? oldestOfMost(this.#elsewhere) : undefined
    if (excess !== undefined) this.#elsewhere = this.#elsewhere.filter((each) => each !== excess)
  }

  #take(key: string | undefined, isRight: (ask: Ask) => boolean): Ask | undefined {
    const id = key?.startsWith('"') === true ? (JSON.parse(key) as string) : ''
    const ask = this.#asks.get(id)
    if (ask === undefined || !isRight(ask)) return undefined
    this.#asks.delete(id)
    return ask
  }
}

const NOT_WAITING = toJson({ code: -32_000, message: 'The client no longer waits for the request.' })

/** Notifies a client that nobody waits for its answer. */
function withdrawal(requestId: string): RawJson {
  const params = { requestId, reason: 'The local server no longer waits.' }
  return toJson({ jsonrpc: '2.0', method: 'notifications/cancelled', params })
}

function send({ exchange, session }: Asked, message: RawJson): void {
  if (exchange?.canAsk === true) exchange.message(message)
  else session.notify(message)
}
