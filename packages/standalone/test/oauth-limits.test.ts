import { expect, test } from 'vitest'
import { FakeSystem } from '../../../test/support/fake-system.ts'
import { OAuthLimits } from '../src/oauth/limits.ts'

const ANN = ['user ann', 'address 192.0.2.1']
const at = (key: string) => ({ ip: key, key, isProxy: false })

test('[OAUTH.13] counts an attempt before checking its code, and uncounts a right one', () => {
  const limits = new OAuthLimits(new FakeSystem())
  const tries = Array.from({ length: 12 }, () => limits.tryCode(ANN).allowed)
  expect(tries).toEqual([...Array(10).fill(true), false, false])
  limits.codeWasRight(ANN)
  expect([limits.tryCode(ANN).allowed, limits.tryCode(ANN).allowed]).toEqual([true, false])
  expect(limits.tryCode(['user bob', 'address 192.0.2.1']).allowed).toBe(false)
  expect(limits.tryCode(['user bob', 'address 192.0.2.2']).allowed).toBe(true)
})

test('[OAUTH.23] allows each address 200 client registrations a day', () => {
  const system = new FakeSystem()
  const limits = new OAuthLimits(system)
  const take = (address: string) => limits.take('registrationOfDay', at(address))
  for (let at = 0; at < 200; at++) {
    expect(take('192.0.2.1').allowed).toBe(true)
    system.advance(60_000)
  }
  expect(take('192.0.2.1')).toMatchObject({ code: 'handshake_rate_exceeded', retryAfterSeconds: 86_400 })
  expect(take('192.0.2.2').allowed).toBe(true)
  system.advance(86_400_000 - 200 * 60_000)
  expect([take('192.0.2.1').allowed, take('192.0.2.1').allowed]).toEqual([true, false])
})

test('[OAUTH.23] blocks no address for others, however many come, within bounded memory', () => {
  const limits = new OAuthLimits(new FakeSystem())
  for (let count = 0; count < 12_000; count++)
    expect(limits.take('begin', at(`address ${count}`)).allowed).toBe(true)
  expect(limits.take('begin', at('192.0.2.1')).allowed).toBe(true)
})

test('[OAUTH.23] applies only limits of a minute to a trusted proxy, which forwards everybody', () => {
  const limits = new OAuthLimits(new FakeSystem())
  const proxy = { ...at('192.0.2.1'), isProxy: true }
  for (let count = 0; count < 1_000; count++)
    expect(limits.take('registrationOfDay', proxy).allowed).toBe(true)
  const taken = Array.from({ length: 301 }, () => limits.take('request', proxy).allowed)
  expect(taken.lastIndexOf(true)).toBe(299)
})
