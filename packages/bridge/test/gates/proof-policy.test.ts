import { expect, test } from 'vitest'
import { type ProofPolicy, proofPolicyGate } from '../../src/gates/proof-policy.ts'

const EVERYWHERE: readonly ProofPolicy[] = [true, false].flatMap((production) =>
  [true, false].map((allowEcho) => ({ production, allowEcho })),
)
const device = { deviceId: 'd' }

test('[PROOF.6] requires a proof for a device’s token under any policy, which v1 cannot give', () => {
  for (const policy of EVERYWHERE) {
    for (const hasEnrolled of [true, false]) {
      expect(proofPolicyGate(device, 'v2', hasEnrolled, policy)).toEqual({ allowed: true, value: 'proof' })
      expect(proofPolicyGate(device, 'v1', hasEnrolled, policy)).toMatchObject({ code: 'proof_required' })
    }
  }
})

test('[PROOF.7] refuses the echo of a user who has or had a device under any policy', () => {
  for (const policy of EVERYWHERE)
    for (const version of ['v1', 'v2'] as const)
      expect(proofPolicyGate({}, version, true, policy)).toMatchObject({ code: 'proof_required' })
})

test('[PROOF.8] refuses the echo in production unless allowed, and asks for it elsewhere', () => {
  for (const version of ['v1', 'v2'] as const) {
    const gate = (production: boolean, allowEcho: boolean) =>
      proofPolicyGate({}, version, false, { production, allowEcho })
    expect(gate(true, false)).toEqual({ allowed: false, code: 'proof_required' })
    expect(gate(true, true)).toEqual({ allowed: true, value: 'echo' })
    expect(gate(false, false)).toEqual({ allowed: true, value: 'echo' })
    expect(gate(false, true)).toEqual({ allowed: true, value: 'echo' })
  }
})
