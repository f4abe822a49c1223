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

test('[FP.4] the same address, program and key give the same 64 hex digits', () => {
  const one = getConnectionFingerprint(ADDRESS, 'agent/1', KEY)
  expect(one).toMatch(/^[0-9a-f]{64}$/)
  expect(getConnectionFingerprint(ADDRESS, 'agent/1', Buffer.alloc(32, 1))).toBe(one)
})

test('[FP.4] any change of address, program or key changes it: it is no constant', () => {
  const made = [
    getConnectionFingerprint(ADDRESS, 'agent/1', KEY),
    getConnectionFingerprint('203.0.113.2', 'agent/1', KEY),
    getConnectionFingerprint(ADDRESS, 'agent/2', KEY),
    getConnectionFingerprint(ADDRESS, '', KEY),
    getConnectionFingerprint(ADDRESS, 'agent/1', Buffer.alloc(32, 2)),
  ]
  expect(new Set(made).size).toBe(made.length)
})

test('[FP.4] text cannot move from the program to the address and leave the fingerprint as it was', () => {
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

test('[FP.4] of a long program name 256 characters count', () => {
  const of = (program: string) => getConnectionFingerprint(ADDRESS, program, KEY)
  expect(of('x'.repeat(257))).toBe(of('x'.repeat(256)))
  expect(of('x'.repeat(255))).not.toBe(of('x'.repeat(256)))
})

test('[FP.1] two fingerprints are the same only where every character is', () => {
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
  '[FP.1] [FP.2] [FP.3] with %s, a change is judged by the policy; the first sight and the same pass',
  (policy, changed) => {
    const one = getConnectionFingerprint(ADDRESS, 'a', KEY)
    const other = getConnectionFingerprint(ADDRESS, 'b', KEY)
    expect(fingerprintGate(one, undefined, policy)).toEqual({ allowed: true, value: 'same' })
    expect(fingerprintGate(one, one, policy)).toEqual({ allowed: true, value: 'same' })
    expect(fingerprintGate(one, other, policy)).toEqual(changed)
  },
)
