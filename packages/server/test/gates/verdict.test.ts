import { BridgeError } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { allow, denialError, deny, denyFor } from '../../src/gates/verdict.ts'

test('[RATE.3] a refusal for now says after how many whole seconds to try again, at least one', () => {
  const seconds = [-5, 0, 1, 999, 1_000, 1_001, 900_000].map(
    (leftMs) => denyFor('address_blocked', leftMs).retryAfterSeconds,
  )
  expect(seconds).toEqual([1, 1, 1, 1, 1, 2, 900])
})

test('[CODE.1] a refusal has a code, and a detail only where there is one', () => {
  expect(allow(5)).toEqual({ allowed: true, value: 5 })
  expect(deny('token_missing')).toStrictEqual({ allowed: false, code: 'token_missing' })
  expect(deny('token_missing', 'why')).toStrictEqual({ allowed: false, code: 'token_missing', detail: 'why' })
})

test('[CODE.1] as an error, a refusal keeps code, detail and when to try again', () => {
  const error = denialError(denyFor('rate_limit_exceeded', 5_000))
  expect(error).toBeInstanceOf(BridgeError)
  expect(error).toMatchObject({ code: 'rate_limit_exceeded', retryAfterSeconds: 5 })
  expect(denialError(deny('scope_insufficient', 'Needed: x')).message).toContain('Needed: x')
})
