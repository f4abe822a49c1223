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
/** After a sleep of the machine the connection is more likely dead than not. */
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

/** @param heard how many frames have come in all; any of them is a sign of life */
export function step(beat: Heartbeat, nowMs: number, heard: number): HeartbeatStep {
  if (beat.is === 'quiet') {
    if (nowMs < beat.askAtMs) return [beat, 'none']
    return [{ is: 'asked', heardBefore: heard, askedAtMs: nowMs, deadAtMs: nowMs + PONG_MS }, 'ping']
  }
  if (heard > beat.heardBefore) return [quiet(beat.askedAtMs), 'none']
  return [beat, nowMs < beat.deadAtMs ? 'none' : 'dead']
}

/** When `step` has something to do again. */
export function dueMs(beat: Heartbeat): number {
  return beat.is === 'quiet' ? beat.askAtMs : beat.deadAtMs
}
