import type { Session, SessionStore } from '../ports/sessions.ts'

const SEEN_EVERY_MS = 60_000

/** Records a session's use, once a minute at most. Rejects while the store is down. */
export async function noteUse(
  sessions: SessionStore,
  { sessionId, seenAtMs }: Session,
  nowMs: number,
): Promise<void> {
  if (nowMs - seenAtMs >= SEEN_EVERY_MS) await sessions.seen(sessionId, nowMs)
}
