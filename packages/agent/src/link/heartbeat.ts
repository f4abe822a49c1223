/** Tracks probes and received bytes to decide whether the other side still answers. */
export type Heartbeat =
  | { readonly is: 'quiet'; readonly askAtMs: number }
  | {
      readonly is: 'asked'
      readonly heardBefore: number
      readonly askedAtMs: number
      readonly deadAtMs: number
    }

export type HeartbeatStep = readonly [next: Heartbeat, action: 'none' | 'ping' | 'dead']

const PING_MS = 30_000
const PONG_MS = 30_000
/** Shorter deadline after a sleep of the machine, when the connection is probably dead. */
const PROBE_MS = 5_000

export function quiet(nowMs: number): Heartbeat {
  return { is: 'quiet', askAtMs: nowMs + PING_MS }
}

/** Probes at once. An earlier unanswered probe keeps its deadline. */
export function probe(beat: Heartbeat, nowMs: number, heard: number): Heartbeat {
  const untilMs = beat.is === 'asked' && heard === beat.heardBefore ? beat.deadAtMs : Number.POSITIVE_INFINITY
  const deadAtMs = Math.min(untilMs, nowMs + PROBE_MS)
  return { is: 'asked', heardBefore: heard, askedAtMs: nowMs, deadAtMs }
}

/** @param heard number of frames received so far; any frame is a sign of life */
export function step(beat: Heartbeat, nowMs: number, heard: number): HeartbeatStep {
  if (beat.is === 'quiet') {
    if (nowMs < beat.askAtMs) return [beat, 'none']
    return [{ is: 'asked', heardBefore: heard, askedAtMs: nowMs, deadAtMs: nowMs + PONG_MS }, 'ping']
  }
  if (heard > beat.heardBefore) return [quiet(beat.askedAtMs), 'none']
  return [beat, nowMs < beat.deadAtMs ? 'none' : 'dead']
}

/** Time at which `step` must run next. */
export function dueMs(beat: Heartbeat): number {
  return beat.is === 'quiet' ? beat.askAtMs : beat.deadAtMs
}
