import { expect, test } from 'vitest'
import { FakeSystem } from '../../../test/support/fake-system.ts'
import { OAuthLimits } from '../src/oauth/limits.ts'

const ANN = ['user ann', 'address 192.0.2.1']

test('[OAUTH.13] a try counts before its code is looked at, and one with a right code is given back', () => {
  const limits = new OAuthLimits(new FakeSystem())
  const tries = Array.from({ length: 12 }, () => limits.tryCode(ANN).allowed)
  expect(tries).toEqual([...Array(10).fill(true), false, false])
  limits.codeWasRight(ANN)
  expect([limits.tryCode(ANN).allowed, limits.tryCode(ANN).allowed]).toEqual([true, false])
  expect(limits.tryCode(['user bob', 'address 192.0.2.1']).allowed).toBe(false)
  expect(limits.tryCode(['user bob', 'address 192.0.2.2']).allowed).toBe(true)
})
