import fc from 'fast-check'
import { expect, test } from 'vitest'
import { requestFacts } from '../../src/gates/request-facts.ts'

const socket = { remoteAddress: '203.0.113.1', encrypted: true }

test('[AUTH.2] sees every occurrence of a header, in any letter case and in order', () => {
  const rawHeaders = [
    'Authorization',
    'a',
    'X',
    '1',
    'AUTHORIZATION',
    'b',
    'authorization',
    'c',
    'Cookie',
    'd',
  ]
  expect(requestFacts({ url: '/x?y', rawHeaders, socket })).toEqual({
    method: '',
    url: '/x?y',
    remoteAddress: '203.0.113.1',
    encrypted: true,
    authorization: ['a', 'b', 'c'],
    cookie: ['d'],
    origin: [],
    host: [],
    forwardedFor: [],
    forwardedProto: [],
    userAgent: [],
    dpop: [],
  })
})

test('[AUTH.2] reads each header that gates check into its own field', () => {
  const names = [
    'origin',
    'host',
    'x-forwarded-for',
    'x-forwarded-proto',
    'user-agent',
    'dpop',
    'cookie',
    'authorization',
  ]
  const facts = requestFacts({ url: '/', rawHeaders: names.flatMap((name) => [name, `of ${name}`]), socket })
  expect(facts).toMatchObject({
    origin: ['of origin'],
    host: ['of host'],
    forwardedFor: ['of x-forwarded-for'],
    forwardedProto: ['of x-forwarded-proto'],
    userAgent: ['of user-agent'],
    dpop: ['of dpop'],
    cookie: ['of cookie'],
    authorization: ['of authorization'],
  })
})

test('[ADDR.4] reads facts that the socket lacks as empty, never as trusted', () => {
  expect(requestFacts({ rawHeaders: [], socket: {} })).toMatchObject({
    url: '',
    remoteAddress: '',
    encrypted: false,
  })
})

test('[AUTH.2] reads headers named like object members like any other, and ignores half a pair', () => {
  const odd = fc.constantFrom(
    '__proto__',
    'constructor',
    'toString',
    'url',
    'encrypted',
    'remoteAddress',
    'Host',
  )
  fc.assert(
    fc.property(fc.array(odd, { maxLength: 9 }), (names) => {
      const facts = requestFacts({
        url: '/',
        rawHeaders: [...names.flatMap((name) => [name, 'v']), 'host'],
        socket,
      })
      expect(facts).toMatchObject({ url: '/', remoteAddress: '203.0.113.1', encrypted: true })
      expect(facts.host).toEqual(names.filter((name) => name === 'Host').map(() => 'v'))
      expect(Object.keys(facts)).toHaveLength(12)
    }),
  )
})
