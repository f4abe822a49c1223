import { durationMs } from '@bridgekeeper/standalone'
import { UsageError } from './usage-error.ts'

const MAX_LIFETIME_MS = 365 * 86_400_000

/** A time such as `15m`, `12h`, `30d`, in milliseconds. @throws UsageError */
export function lifetimeMs(text: string): number {
  const value = durationMs(text)
  if (value !== undefined && value <= MAX_LIFETIME_MS) return value
  throw new UsageError(
    `A lifetime must be a time from 1s to 365d, got ${JSON.stringify(text)}.`,
    'Use a time like 15m, 12h or 30d.',
  )
}
