import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type FingerprintPolicy,
  fingerprintGate,
  getConnectionFingerprint,
  verifyFingerprint,
} from '../../src/gates/fingerprint.ts'

const KEY = Buffer.alloc(32, 1)
const ADDRESS = '203.0.113.1'

test('[FP.4] gives the same 64 hex digits for the same address, program and key', () => {
  const one = getConnectionFingerprint(ADDRESS, 'agent/1', KEY)
  expect(one).toMatch(/^[0-9a-f]{64}$/)
  expect(getConnectionFingerprint(ADDRESS, 'agent/1', Buffer.alloc(32, 1))).toBe(one)
})

test('[FP.4] changes with address, program and key', () => {
  const made = [
    getConnectionFingerprint(ADDRESS, 'agent/1', KEY),
    getConnectionFingerprint('203.0.113.2', 'agent/1', KEY),
    getConnectionFingerprint(ADDRESS, 'agent/2', KEY),
    getConnectionFingerprint(ADDRESS, '', KEY),
    getConnectionFingerprint(ADDRESS, 'agent/1', Buffer.alloc(32, 2)),
  ]
  expect(new Set(made).size).toBe(made.length)
})

test('[FP.4] changes when text moves from the program to the address', () => {
  const login = fc.tuple(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }))
  fc.assert(
    fc.property(login, fc.nat({ max: 12 }), ([address, program], shift) => {
      const text = address + program
      const at = Math.min(shift, text.length)
      const same = at === address.length
      const moved = getConnectionFingerprint(text.slice(0, at), text.slice(at), KEY)
      expect(moved === getConnectionFingerprint(address, program, KEY)).toBe(same)
    }),
  )
})

test('[FP.4] reads 256 characters of a long program name', () => {
  const of = (program: string) => getConnectionFingerprint(ADDRESS, program, KEY)
  expect(of('x'.repeat(257))).toBe(of('x'.repeat(256)))
  expect(of('x'.repeat(255))).not.toBe(of('x'.repeat(256)))
})

test('[FP.1] compares every character of two fingerprints', () => {
  const one = getConnectionFingerprint(ADDRESS, 'a', KEY)
  const other = getConnectionFingerprint(ADDRESS, 'b', KEY)
  expect(verifyFingerprint(one, one)).toBe(true)
  for (const text of [other, '', one.slice(1), `${one}0`, one.toUpperCase()])
    expect(verifyFingerprint(one, text), text).toBe(false)
})

test.each<[FingerprintPolicy, object]>([
  ['observe', { allowed: true, value: 'changed' }],
  ['challenge', { allowed: true, value: 'unproven' }],
  ['block', { allowed: false, code: 'fingerprint_changed' }],
])(
  '[FP.1] [FP.2] [FP.3] with %s, judges a change by the policy, and admits the first and the same place',
  (policy, changed) => {
    const one = getConnectionFingerprint(ADDRESS, 'a', KEY)
    const other = getConnectionFingerprint(ADDRESS, 'b', KEY)
    expect(fingerprintGate(one, undefined, policy)).toEqual({ allowed: true, value: 'same' })
    expect(fingerprintGate(one, one, policy)).toEqual({ allowed: true, value: 'same' })
    expect(fingerprintGate(one, other, policy)).toEqual(changed)
  },
)
