import { expect, test } from 'vitest'
import { endingOfClose, endingOfError, endingOfHttp } from '../../src/link/ending.ts'
import { ProxyError } from '../../src/proxy/tunnel.ts'

const http = (status: number, body = '', retryAfter?: string) => endingOfHttp({ status, body, retryAfter })

test('[LINK.20] names the status or the close code where it retries or gives up', () => {
  expect(http(503)).toEqual({ next: 'retry', reason: 'The bridge answered with HTTP status 503.' })
  expect(http(425)).toMatchObject({ next: 'retry' })
  expect(http(418)).toEqual({
    ...{ next: 'give-up', code: 'bridge_refused' },
    detail: 'It answered with HTTP status 418.',
  })
  expect(endingOfClose(1006, '')).toEqual({ next: 'retry', reason: 'The connection closed (1006).' })
  expect(endingOfClose(1001, 'shutting_down')).toEqual({
    next: 'retry',
    reason: 'The connection closed (shutting_down).',
  })
  expect(endingOfClose(4_999, 'evil')).toEqual({
    ...{ next: 'give-up', code: 'bridge_refused' },
    detail: 'It closed the connection with code 4999.',
  })
})

test('[LINK.22] renews a token that the close code calls expired, without a reason', () => {
  expect(endingOfClose(4_401, '')).toEqual({ next: 'renew-token' })
})

test('[LINK.20] takes no code from a list or a number', () => {
  for (const code of [['token_invalid'], 1])
    expect(http(401, JSON.stringify({ error: { code } }))).toMatchObject({ code: 'bridge_refused' })
})

test.each(['Wed, 21 Oct 2026 07:28:00 GMT', '', '7.5', '-7', '7 s', '1234567890'])(
  '[LINK.20] ignores a wait that is no number of seconds: %j',
  (retryAfter) => {
    expect(http(429, '', retryAfter)).not.toHaveProperty('afterMs')
  },
)

test('[LINK.20] waits as many seconds as the bridge asks, at most 15 minutes', () => {
  expect(['0', '899', '901', '999999999'].map((wait) => http(429, '', wait))).toMatchObject([
    { afterMs: 0 },
    { afterMs: 899_000 },
    { afterMs: 900_000 },
    { afterMs: 900_000 },
  ])
})

test('[LINK.18] retries after a failure below HTTP, which it names', () => {
  const failed = (message: string, code?: string) =>
    endingOfError(Object.assign(new Error(message), code && { code }))
  expect(failed('connect failed', 'ECONNREFUSED')).toEqual({
    next: 'retry',
    reason: 'The bridge cannot be reached (ECONNREFUSED).',
  })
  expect(failed('socket hang up')).toEqual({
    next: 'retry',
    reason: 'The bridge cannot be reached (socket hang up).',
  })
  const error = Object.assign(new ProxyError('The proxy p refused.'), { code: 'X' })
  expect(endingOfError(error)).toEqual({ next: 'retry', reason: 'The proxy p refused.' })
})
