import type { IncomingHttpHeaders } from 'node:http'
import {
  BridgeError,
  CLIENT_TRAITS,
  type ClientTrait,
  type ExchangeSession,
  type Span,
} from '@bridgekeeper/protocol'
import { FairSet } from '../collections/fair-set.ts'
import { identityText } from '../gates/call-authority.ts'
import { Memo } from '../memoize.ts'
import type { Caller, System } from '../ports.ts'
import { clientTraits } from './client-traits.ts'

/** An MCP session that begins, and the value of its header. */
export interface NewSession {
  /** `Mcp-Session-Id`. */
  readonly header: string
  readonly session: ExchangeSession
}

/** Seals values under the installation's keys, each bound to a name. */
interface Sealer {
  seal(name: string, value: string): string
  /** @returns `undefined` if it was not sealed under this name */
  unseal(name: string, sealed: string): string | undefined
}

type Owner = Pick<Caller, 'userId' | 'sessionId' | 'scopes'>

/** Age at which a session is refused; its client must initialize again. */
const MAX_SESSION_MS = 30 * 86_400_000
/** Longest `Mcp-Session-Id`. Ours are shorter. */
const MAX_HEADER_CHARS = 256
const ID_BYTES = 16
/** Ended sessions that are remembered; the user with most loses the oldest. */
export const MAX_ENDED = 4_096
/** Headers that are kept open, about a megabyte. */
const MAX_OPENED = 4_096

/**
 * [SESS.1] MCP sessions, which the bridge does not store: `Mcp-Session-Id` is a sealed value of the random id, the
 * client's traits and the time. [SESS.2] It is bound to user, login session and scopes, so that another login,
 * or a token of the same login with other scopes, cannot tell it from a forged one.
 */
export class McpSessions {
  readonly #sealer: Sealer
  readonly #system: System
  /** Opened headers: deciphering one in each request would be a tenth of what the request costs. */
  readonly #opened = new Memo<{ readonly name: string; readonly value: string }>(MAX_OPENED)

  /** Ids of sessions that ended, by user. Machines remember theirs across restarts. */
  readonly #ended = new FairSet(MAX_ENDED)

  constructor(sealer: Sealer, system: System) {
    this.#sealer = sealer
    this.#system = system
  }

  /** Creates a session. It counts once the agent has confirmed it. */
  create(owner: Owner, traits: readonly ClientTrait[]): NewSession {
    const id = this.#system.randomBytes(ID_BYTES).toString('base64url')
    const value = [id, bitsOf(traits), this.#system.nowMs()].join(' ')
    const header = this.#sealer.seal(nameOf(owner), value)
    return { header, session: { id, traits: [...traits] } }
  }

  /** Creates the session that an `initialize` asks for. @param params its parameters @returns the error if they are invalid */
  begin(owner: Owner, body: Buffer, params: Span | undefined): NewSession | BridgeError {
    const traits = clientTraits(body, params)
    return traits instanceof BridgeError ? traits : this.create(owner, traits)
  }

  /** The session of a request; `undefined` without one. @returns the error if it is unknown */
  find(
    { 'mcp-session-id': header }: IncomingHttpHeaders,
    owner: Owner,
  ): ExchangeSession | BridgeError | undefined {
    if (header === undefined || header === '') return undefined
    return this.#read(String(header), owner) ?? new BridgeError('session_unknown')
  }

  /** Why the session of a request is refused, if it has one. */
  refusal(headers: IncomingHttpHeaders, owner: Owner): BridgeError | undefined {
    const found = this.find(headers, owner)
    return found instanceof BridgeError ? found : undefined
  }

  /** [SESS.7] Makes a session unknown, also to requests that reach no machine. */
  end({ id }: ExchangeSession, { userId }: Owner): void {
    this.#ended.add(userId, id)
  }

  /** @returns `undefined` if it is forged, too old, has ended, or belongs to another login */
  #read(header: string, owner: Owner): ExchangeSession | undefined {
    if (header.length > MAX_HEADER_CHARS) return undefined
    const name = nameOf(owner)
    const opened = this.#opened.get(header)
    if (opened?.name === name) return this.#sessionOf(opened.value, owner)
    const value = this.#sealer.unseal(name, header)
    if (value === undefined) return undefined
    this.#opened.keep(header, { name, value })
    return this.#sessionOf(value, owner)
  }

  #sessionOf(value: string, { userId }: Owner): ExchangeSession | undefined {
    const [id = '', bits, createdAtMs] = value.split(' ')
    const isOld = this.#system.nowMs() - Number(createdAtMs) > MAX_SESSION_MS
    return isOld || this.#ended.has(userId, id) ? undefined : { id, traits: traitsOf(Number(bits)) }
  }
}

/** Whether a request names an MCP session. Some clients send the header without a value. */
export function hasSession({ 'mcp-session-id': header }: IncomingHttpHeaders): boolean {
  return header !== undefined && header !== ''
}

function nameOf(owner: Owner): string {
  return `mcp-session ${identityText(owner)}`
}

function bitsOf(traits: readonly ClientTrait[]): number {
  return traits.reduce((bits, trait) => bits | (1 << CLIENT_TRAITS.indexOf(trait)), 0)
}

function traitsOf(bits: number): ClientTrait[] {
  return CLIENT_TRAITS.filter((_, at) => (bits & (1 << at)) !== 0)
}
