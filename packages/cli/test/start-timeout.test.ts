import { expect, test } from 'vitest'
import { startTimeoutMs } from '../src/start-timeout.ts'

test('[PROC.15] --start-timeout is a number of seconds', () => {
  expect([undefined, '300', '0.5', '3600'].map(startTimeoutMs)).toEqual([undefined, 300_000, 500, 3_600_000])
})

test.each(['', ' ', '0', '-1', '3601', '5m', 'NaN'])('[PROC.15] refuses --start-timeout %j', (text) => {
  expect(() => startTimeoutMs(text)).toThrow(
    /--start-timeout must be a number of seconds from 0.1 to 3600, got/,
  )
})
