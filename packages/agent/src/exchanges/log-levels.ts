import { type RawJson, textAt, toJson } from '@bridgekeeper/protocol'
import type { Instance, InstanceFault, ServerMessage } from '../servers/instance.ts'
import type { RawOutcome } from '../servers/raw-calls.ts'
import { ownError, ownRequest, SUCCESS, type Target } from './own-request.ts'
import type { Session } from './session.ts'

/** The most verbose first. */
const LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'] as const
/** Level of a session that set none, once another session has set one. */
export const DEFAULT_LEVEL = 'info'
const SET_LEVEL = 'logging/setLevel'
/** The agent itself refuses an unknown level: a server that accepts it would change the level of all sessions. */
export const INVALID_LEVEL = ownError(-32_602, 'Invalid params: "level" must be a log level.')

/** Log levels of sessions that share instances. The server gets the most verbose of them; each session its own. */
export class LogLevels {
  readonly #target: Target
  readonly #sessions: ReadonlySet<Session>
  /** The level that the instances have. */
  #sent: string | undefined

  constructor(target: Target, sessions: ReadonlySet<Session>) {
    this.#target = target
    this.#sessions = sessions
  }

  /** Sets the level of a session. @param params of its request */
  async set(session: Session, params: RawJson | undefined): Promise<RawOutcome | InstanceFault> {
    const level = textAt(params, ['level'])
    if (!isLevel(level)) return INVALID_LEVEL
    const instance = await this.#target.shared(session.facts.client)
    if ('fault' in instance) return instance
    const before = session.level
    session.level = level
    const wanted = this.#mostVerbose()
    if (wanted === this.#sent) return SUCCESS
    const outcome = await this.#send(wanted, instance)
    if (outcome.kind !== 'result') session.level = before
    return outcome
  }

  /** A session is gone. */
  changed(): void {
    const wanted = this.#mostVerbose()
    const [first] = this.#target.all()
    if (wanted !== undefined && wanted !== this.#sent && first !== undefined) void this.#send(wanted, first)
  }

  /** Sends the present level to an instance that is new. */
  replay(instance: Instance): void {
    this.#sent ??= this.#mostVerbose()
    if (this.#sent !== undefined) void ownRequest(instance, SET_LEVEL, toJson({ level: this.#sent }))
  }

  /** Whether a session wants this log message. */
  wants(session: Session, { params }: ServerMessage): boolean {
    if (this.#sent === undefined) return true
    return rank(textAt(params, ['level']) ?? DEFAULT_LEVEL) >= rank(session.level ?? DEFAULT_LEVEL)
  }

  /** @param first its answer counts */
  async #send(level: string | undefined, first: Instance): Promise<RawOutcome> {
    const params = toJson({ level })
    const before = this.#sent
    this.#sent = level
    for (const other of this.#target.all()) if (other !== first) void ownRequest(other, SET_LEVEL, params)
    const outcome = await ownRequest(first, SET_LEVEL, params)
    if (outcome.kind !== 'result' && this.#sent === level) this.#sent = before
    return outcome
  }

  #mostVerbose(): string | undefined {
    const ranks = [...this.#sessions].flatMap(({ level }) => (level === undefined ? [] : [rank(level)]))
    return ranks.length === 0 ? undefined : LEVELS[Math.min(...ranks)]
  }
}

/** Whether MCP has this level. */
export function isLevel(level: string | undefined): level is string {
  return level !== undefined && rank(level) !== -1
}

function rank(level: string): number {
  return LEVELS.indexOf(level as (typeof LEVELS)[number])
}
