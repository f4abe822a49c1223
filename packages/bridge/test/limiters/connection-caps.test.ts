import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ClientAddress } from '../../src/gates/request-facts.ts'
import { ConnectionCaps, DEFAULT_CONNECTION_LIMITS } from '../../src/limiters/connection-caps.ts'

const address = (key: string, isProxy = false): ClientAddress => ({ ip: key, key, isProxy })
const HERE = address('203.0.113.1')
const PROXY = address('10.0.0.1', true)
const FULL = { allowed: false, code: 'too_many_connections' }
const small = { ...DEFAULT_CONNECTION_LIMITS, inAll: 5, perAddress: 3, perUser: 2 }

/** Takes a place that there is. @returns leaves it */
function enter(caps: ConnectionCaps, from: ClientAddress, user: string): () => void {
  const place = caps.take(from, user)
  if (!place.allowed) throw new Error(place.code)
  return () => caps.leave(from, user)
}

test('[CONN.1] limits an address’s connections, and admits another when one ends', () => {
  const caps = new ConnectionCaps(small)
  const leave = ['ann', 'bob', 'eve'].map((user) => enter(caps, HERE, user))
  expect(caps.checkAddress(HERE, 0)).toEqual(FULL)
  expect(caps.take(HERE, 'zoe')).toEqual(FULL)
  expect(caps.checkAddress(address('203.0.113.2'), 0)).toMatchObject({ allowed: true })
  leave[1]?.()
  expect(caps.checkAddress(HERE, 0)).toMatchObject({ allowed: true })
})

test('[CONN.1] limits a user’s connections from any address', () => {
  const caps = new ConnectionCaps(small)
  const [leave] = ['a', 'b'].map((from) => enter(caps, address(from), 'ann'))
  expect(caps.take(address('c'), 'ann')).toEqual(FULL)
  expect(caps.take(address('c'), 'bob')).toMatchObject({ allowed: true })
  leave?.()
  expect(caps.take(address('c'), 'ann')).toMatchObject({ allowed: true })
})

test('[CONN.1] limits the total for everybody, also behind a proxy, which has no limit as an address', () => {
  const caps = new ConnectionCaps(small)
  const leave = Array.from({ length: 4 }, (_, user) => enter(caps, PROXY, `user ${user}`))
  expect(caps.checkAddress(PROXY, 0)).toMatchObject({ allowed: true })
  enter(caps, PROXY, 'user 5')
  expect(caps.checkAddress(PROXY, 0)).toEqual(FULL)
  expect(caps.take(PROXY, 'user 6')).toEqual(FULL)
  expect(caps.checkAddress(HERE, 0)).toEqual(FULL)
  leave[0]?.()
  expect(caps.checkAddress(HERE, 0)).toMatchObject({ allowed: true })
})

test('[CONN.1] counts an address and a user of the same name separately', () => {
  const caps = new ConnectionCaps(small)
  for (const user of ['a', 'b', 'c']) enter(caps, address('same'), user)
  expect(caps.take(address('other'), 'same')).toMatchObject({ allowed: true })
})

test('[CONN.1] counts exactly the open connections, in any order of opening and closing', () => {
  const move = fc.record({
    user: fc.constantFrom('ann', 'bob'),
    from: fc.constantFrom('x', 'y'),
    go: fc.nat(),
  })
  fc.assert(
    fc.property(fc.array(move, { maxLength: 60, size: 'max' }), (moves) => {
      const caps = new ConnectionCaps(small)
      const open: { user: string; from: string; leave: () => void }[] = []
      for (const { user, from, go } of moves) {
        if (go % 2 === 0 && open.length > 0) {
          open.splice(go % open.length, 1)[0]?.leave()
          continue
        }
        const of = (name: 'user' | 'from', value: string) => open.filter((one) => one[name] === value).length
        const hasRoom = of('from', from) < 3 && open.length < 5
        expect(caps.checkAddress(address(from), 0).allowed).toBe(hasRoom)
        const place = caps.take(address(from), user)
        expect(place.allowed).toBe(hasRoom && of('user', user) < 2)
        if (place.allowed) open.push({ user, from, leave: () => caps.leave(address(from), user) })
      }
    }),
  )
})

test('[CONN.2] allows an address 120 attempts a minute, and a proxy any number', () => {
  const caps = new ConnectionCaps()
  const tries = (from: ClientAddress, times: number, nowMs: number) =>
    Array.from({ length: times }, () => caps.checkAddress(from, nowMs)).filter((verdict) => verdict.allowed)
      .length
  expect(tries(HERE, 130, 0)).toBe(120)
  expect(caps.checkAddress(HERE, 59_999)).toEqual({
    allowed: false,
    code: 'handshake_rate_exceeded',
    retryAfterSeconds: 60,
  })
  expect(tries(address('203.0.113.2'), 1, 59_999)).toBe(1)
  expect(tries(HERE, 130, 60_000)).toBe(120)
  expect(tries(PROXY, 1_000, 0)).toBe(1_000)
})
