import { UsageError } from './usage-error.ts'

const MIN_SECONDS = 0.1
const MAX_SECONDS = 3_600

/** `--start-timeout`, in milliseconds. @throws UsageError */
export function startTimeoutMs(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const seconds = Number(text)
  if (text.trim() !== '' && seconds >= MIN_SECONDS && seconds <= MAX_SECONDS) return seconds * 1_000
  throw new UsageError(
    `--start-timeout must be a number of seconds from ${MIN_SECONDS} to ${MAX_SECONDS}, got ${JSON.stringify(text)}.`,
    'Give one like --start-timeout 300.',
  )
}
