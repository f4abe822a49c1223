import { isErrorCode } from '@bridgekeeper/protocol'
import type { AgentEvent, SampledEvent } from './events.ts'
import type { System } from './system.ts'

/** Events of one kind that are forwarded per window; the others are counted. */
export const MAX_EVENTS = 100
export const WINDOW_MS = 10_000

interface Kind {
  readonly untilMs: number
  passed: number
  leftOut: number
  last: SampledEvent | undefined
  cancel: () => void
}

/**
 * Bounds the events that a bridge or a local server can cause, so that a log of them cannot fill a disk. The
 * first events of a kind are passed on at once; the others become one `events-left-out` when their window
 * ends. Servers have separate kinds. The number of kinds is bounded by the config file and the list of error
 * codes. The bridge's log has another sampler, which reports its count only with the next line.
 */
export class EventSampler {
  readonly #system: System
  readonly #onEvent: (event: AgentEvent) => void
  readonly #kinds = new Map<string, Kind>()

  constructor(system: System, onEvent: (event: AgentEvent) => void) {
    this.#system = system
    this.#onEvent = onEvent
  }

  /** Passes an event on, or counts it. */
  readonly take = (event: SampledEvent): void => {
    const kind = this.#kindOf(keyOf(event))
    if (kind.passed < MAX_EVENTS) {
      kind.passed++
      this.#onEvent(event)
      return
    }
    if (kind.leftOut === 0)
      kind.cancel = this.#system.schedule(kind.untilMs - this.#system.monotonicMs(), () => this.#report(kind))
    kind.leftOut++
    kind.last = event
  }

  /** Reports the events that were left out so far. */
  close(): void {
    for (const kind of this.#kinds.values()) this.#report(kind)
  }

  #kindOf(key: string): Kind {
    const nowMs = this.#system.monotonicMs()
    const known = this.#kinds.get(key)
    if (known !== undefined && nowMs < known.untilMs) return known
    if (known !== undefined) this.#report(known)
    const kind = { untilMs: nowMs + WINDOW_MS, passed: 0, leftOut: 0, last: undefined, cancel: () => {} }
    this.#kinds.set(key, kind)
    return kind
  }

  #report(kind: Kind): void {
    kind.cancel()
    const { leftOut: count, last } = kind
    kind.leftOut = 0
    if (last !== undefined && count > 0) this.#onEvent({ type: 'events-left-out', count, last })
  }
}

/** Key of an event's kind. Names that a peer can invent share one. */
function keyOf(event: SampledEvent): string {
  switch (event.type) {
    case 'bridge-error':
      return `${event.type} ${isErrorCode(event.code) ? event.code : ''}`
    case 'call-finished':
    case 'request-finished':
      return `${event.type} ${event.outcome === 'server_not_found' ? '' : event.server}`
    case 'server-starting':
    case 'server-ready':
    case 'server-tools-changed':
    case 'server-tools-unread':
    case 'server-tools-odd':
    case 'server-output-ignored':
    case 'server-failed':
    case 'server-exited':
    case 'server-instance-failed':
    case 'server-log':
    case 'server-stderr':
      return `${event.type} ${event.name}`
    default:
      return event.type
  }
}
