import { BridgeError } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { allow, denialError, deny, denyFor, denyGenuine, isGuess } from '../../src/gates/verdict.ts'

test('[RATE.3] rounds the retry time up to whole seconds, at least one', () => {
  const seconds = [-5, 0, 1, 999, 1_000, 1_001, 900_000].map(
    (leftMs) => denyFor('address_blocked', leftMs).retryAfterSeconds,
  )
  expect(seconds).toEqual([1, 1, 1, 1, 1, 2, 900])
})

test('[CODE.1] gives a refusal a code, and a detail only where there is one', () => {
  expect(allow(5)).toEqual({ allowed: true, value: 5 })
  expect(deny('token_missing')).toStrictEqual({ allowed: false, code: 'token_missing' })
  expect(deny('token_missing', 'why')).toStrictEqual({ allowed: false, code: 'token_missing', detail: 'why' })
})

test('[CODE.1] keeps code, detail and retry time of a refusal as an error', () => {
  const error = denialError(denyFor('rate_limit_exceeded', 5_000))
  expect(error).toBeInstanceOf(BridgeError)
  expect(error).toMatchObject({ code: 'rate_limit_exceeded', retryAfterSeconds: 5 })
  expect(denialError(deny('scope_insufficient', 'Needed: x')).message).toContain('Needed: x')
})

test('[ADDR.5] counts only an invalid token without a valid signature as a guess', () => {
  expect(denyGenuine('token_invalid', 'why')).toStrictEqual({
    allowed: false,
    code: 'token_invalid',
    detail: 'why',
    isGenuine: true,
  })
  const codes = [
    'token_expired',
    'login_revoked',
    'user_suspended',
    'user_unknown',
    'token_ambiguous',
  ] as const
  expect(isGuess(deny('token_invalid'))).toBe(true)
  expect(isGuess(denyGenuine('token_invalid'))).toBe(false)
  for (const code of codes) expect(isGuess(deny(code)), code).toBe(false)
})
