import { encode, type ProtocolVersion, unreachable } from '@bridgekeeper/protocol'
import { backoffMs } from '../backoff.ts'
import { Unreachable } from '../enrolment/ask.ts'
import { AgentError, TokenUnavailable } from '../errors.ts'
import type { LinkEvent } from '../events.ts'
import type { Exchanges } from '../exchanges/exchanges.ts'
import { HeldBytes } from '../held-bytes.ts'
import type { LocalTools } from '../local-tools.ts'
import type { System } from '../system.ts'
import { CatalogReport } from './catalog-frame.ts'
import { Connection, type ConnectionState, type Login } from './connection.ts'
import type { DeviceIdentity } from './device-identity.ts'
import { dueMs, probe, quiet, step } from './heartbeat.ts'
import { Prover } from './prover.ts'
import { demandHeaderValue, type TokenClaims, tokenClaims } from './token-claims.ts'
import { TokenRefresh } from './token-refresh.ts'
import { type Wake, Wakes } from './wakes.ts'

export interface LinkOptions {
  /** Result of `bridgeUrl`. */
  readonly url: string
  /**
   * Called at every attempt, with the token that the bridge called expired. A rejection is retried, unless it
   * is an `AgentError`. The user sees the message of a `TokenUnavailable`.
   */
  readonly token: (spent?: string) => string | Promise<string>
  /** Overrides the token's claims. */
  readonly claims: Partial<TokenClaims>
  /**
   * Returns the enrolled machine for each proof; without it, the agent answers challenges with the echo. An
   * `AgentError` ends the agent.
   */
  readonly device?: (() => DeviceIdentity | Promise<DeviceIdentity>) | undefined
  readonly system: System
  readonly tools: LocalTools
  readonly exchanges: Exchanges
  readonly onEvent: (event: LinkEvent) => void
}

/** Starting point of the next attempt. */
interface Plan {
  readonly dueMs: number
  readonly version: ProtocolVersion
  /** Consecutive failed attempts. */
  readonly failures: number
  /** The bridge called this token expired. */
  readonly spentToken?: string
}

type TokenAnswer =
  | { readonly ok: true; readonly token: string }
  | { readonly ok: false; readonly error: unknown }

type Ended = Extract<ConnectionState, { is: 'ended' }>

const STABLE_MS = 10_000
const GOODBYE_MS = 1_000
const PING = encode({ type: 'ping' })

/**
 * Keeps one connection to the bridge. Everything happens in one loop: callbacks only record facts and
 * wake it with a reason.
 */
export class Link {
  readonly #options: LinkOptions
  readonly #wakes: Wakes
  readonly #held = new HeldBytes()

  constructor(options: LinkOptions) {
    this.#options = options
    this.#wakes = new Wakes(options.system)
  }

  /** Wakes the loop, which sends what has changed in the catalog. */
  catalogChanged(): void {
    this.#wakes.wake('catalog')
  }

  /**
   * Connects, and reconnects whenever the connection ends, until the signal aborts.
   *
   * @throws AgentError if a retry cannot help
   */
  async run(signal: AbortSignal): Promise<void> {
    const stop = () => this.#wakes.wake('stop')
    signal.addEventListener('abort', stop)
    try {
      let plan: Plan = { dueMs: this.#monotonicMs(), version: 'v2', failures: 0 }
      while (!signal.aborted) {
        plan = await this.#awaitDue(plan, signal)
        if (!signal.aborted) plan = await this.#attempt(plan, signal)
      }
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  /**
   * Waits until the plan is due. After a sleep of the machine it is due at once, since the network may have
   * changed.
   */
  async #awaitDue(plan: Plan, signal: AbortSignal): Promise<Plan> {
    while (!signal.aborted && this.#monotonicMs() < plan.dueMs) {
      const wakes = await this.#wakes.next(plan.dueMs)
      if (wakes.has('slept')) return { ...plan, dueMs: this.#monotonicMs(), failures: 0 }
    }
    return plan
  }

  /** Runs one connection from the handshake to its end, and plans the next. */
  async #attempt(plan: Plan, signal: AbortSignal): Promise<Plan> {
    const answer = await this.#token(plan.spentToken, signal)
    if (answer === undefined) return plan
    if (!answer.ok) return this.#retry(plan, { reason: reasonOf(answer.error), ignoredFrames: 0 })
    const { token } = answer
    if (token === plan.spentToken) throw new AgentError('token_expired')
    const { version } = plan
    const { url, system, tools, exchanges, onEvent } = this.#options
    const login = this.#login(token)
    onEvent({ type: 'connecting', url, version })
    const connection = new Connection({
      ...{ url, token, login, version, system, tools, exchanges, onEvent },
      held: this.#held,
      wake: (reason) => this.#wakes.wake(reason),
    })
    await this.#awaitVerified(connection, signal)
    await this.#serve(connection, signal)
    const ended = await this.#awaitEnded(connection)
    return signal.aborted ? plan : this.#replan(plan, connection.token, ended)
  }

  /** @throws AgentError `token_unreadable` */
  #login(token: string): Login {
    const { url, claims, device } = this.#options
    demandHeaderValue(token)
    return device === undefined
      ? { by: 'echo', claims: tokenClaims(token, claims) }
      : { by: 'proof', prover: new Prover(url, token, device) }
  }

  async #awaitVerified(connection: Connection, signal: AbortSignal): Promise<void> {
    for (;;) {
      const { state } = connection
      if (signal.aborted || state.is === 'verified' || state.is === 'ended') return
      if (this.#monotonicMs() >= state.deadlineMs)
        connection.drop('The bridge did not accept the connection in time.')
      else await this.#wakes.next(state.deadlineMs)
    }
  }

  async #serve(connection: Connection, signal: AbortSignal): Promise<void> {
    const { url, system, tools, onEvent } = this.#options
    const { version } = connection
    if (connection.state.is === 'verified') onEvent({ type: 'verified', url, version })
    const catalog = new CatalogReport()
    let wakes: ReadonlySet<Wake> = new Set(['catalog'])
    let beat = quiet(system.monotonicMs())
    const refresh = this.#refresh(connection.token)
    while (!signal.aborted && connection.state.is === 'verified') {
      if (version === 'v2' && wakes.has('catalog'))
        for (const frame of catalog.frames(tools.catalog())) connection.send(frame)

      const [next, action] = step(beat, system.monotonicMs(), connection.heard)
      beat = next
      if (action === 'dead') connection.drop('The bridge no longer answers.')
      if (action === 'ping') connection.send(PING)

      const fresh = refresh?.step(connection.token)
      if (fresh !== undefined) connection.reauthenticate(fresh)

      wakes = await this.#wakes.next(Math.min(dueMs(beat), refresh?.dueMs ?? Number.POSITIVE_INFINITY))
      if (!wakes.has('slept')) continue
      connection.send(PING)
      beat = probe(beat, system.monotonicMs(), connection.heard)
    }
  }

  /** Only an enrolled machine can renew its token on an open connection. */
  #refresh(token: string): TokenRefresh | undefined {
    const { device, system, token: source } = this.#options
    if (device === undefined) return undefined
    return new TokenRefresh(token, { token: () => source(), system, wake: () => this.#wakes.wake('token') })
  }

  async #awaitEnded(connection: Connection): Promise<Ended> {
    const untilMs = this.#monotonicMs() + GOODBYE_MS
    connection.close()
    for (;;) {
      const { state } = connection
      if (state.is === 'ended') return state
      if (this.#monotonicMs() >= untilMs) connection.drop('The bridge did not close the connection in time.')
      else await this.#wakes.next(untilMs)
    }
  }

  #replan(plan: Plan, token: string, { ending, verifiedForMs, ignoredFrames }: Ended): Plan {
    const wasVerified = verifiedForMs !== undefined
    const failures = wasVerified && verifiedForMs >= STABLE_MS ? 0 : plan.failures
    const { spentToken, ...fresh } = { ...plan, failures }
    switch (ending.next) {
      case 'retry':
        return this.#retry(wasVerified ? fresh : plan, { ...ending, ignoredFrames })
      case 'speak-v1':
        // [LINK.29] An attacker who removes v2 from the offer would downgrade us to the echo.
        if (this.#options.device !== undefined) throw new AgentError('bridge_downgraded')
        return { ...plan, dueMs: this.#monotonicMs(), version: 'v1' }
      case 'renew-token':
        if (spentToken !== undefined && !wasVerified) throw new AgentError('token_expired')
        return this.#retry(
          { ...fresh, spentToken: token },
          { reason: 'The token has expired.', ignoredFrames },
        )
      case 'give-up':
        throw ending.error ?? new AgentError(ending.code, ending.detail)
      default:
        return unreachable(ending)
    }
  }

  #retry(plan: Plan, why: { reason: string; ignoredFrames: number; afterMs?: number }): Plan {
    const { system, onEvent } = this.#options
    const { reason, ignoredFrames, afterMs = 0 } = why
    const retryInMs = afterMs + backoffMs(plan.failures, system.random)
    onEvent({ type: 'disconnected', reason, ignoredFrames, retryInMs })
    return { ...plan, dueMs: this.#monotonicMs() + retryInMs, version: 'v2', failures: plan.failures + 1 }
  }

  /** The token for this attempt, or why there is none; `undefined` if the signal aborted first. */
  async #token(spent: string | undefined, signal: AbortSignal): Promise<TokenAnswer | undefined> {
    let answer: TokenAnswer | undefined
    const record = (given: TokenAnswer) => {
      answer = given
      this.#wakes.wake('token')
    }
    Promise.resolve()
      .then(() => this.#options.token(spent))
      .then((token) => record({ ok: true, token }))
      .catch((error: unknown) => record({ ok: false, error }))
    for (;;) {
      if (signal.aborted) return undefined
      if (answer?.ok === false && answer.error instanceof AgentError) throw answer.error
      if (answer !== undefined) return answer
      await this.#wakes.next(Number.POSITIVE_INFINITY)
    }
  }

  #monotonicMs(): number {
    return this.#options.system.monotonicMs()
  }
}

/** Explains why there is no token. The text of an unknown error may hold a secret, so it is not shown. */
function reasonOf(error: unknown): string {
  const isOurs = error instanceof TokenUnavailable || error instanceof Unreachable
  return isOurs ? `No token could be obtained. ${error.message}` : 'No token could be obtained.'
}
