import { expect, test } from 'vitest'
import { FakeSystem } from '../../../../test/support/fake-system.ts'
import { Fingerprints } from '../../src/admission/fingerprints.ts'
import type { FingerprintPolicy } from '../../src/gates/fingerprint.ts'
import { requestFacts } from '../../src/gates/request-facts.ts'
import { memoryFingerprints } from '../../src/memory.ts'
import type { FingerprintStore } from '../../src/ports.ts'
import type { SecurityEvent } from '../../src/security-log/events.ts'

const ANN = { userId: 'ann', sessionId: 's1', expiresAtMs: 0 }

function setUp(policy: FingerprintPolicy = 'observe', store: FingerprintStore = memoryFingerprints()) {
  const events: SecurityEvent[] = []
  const log = {
    logSecurityEvent: (event: SecurityEvent) => void events.push(event),
    afterWritten: () => {},
    writable: true,
  }
  const fingerprints = new Fingerprints({ policy, key: Buffer.alloc(32, 1) }, store, log, new FakeSystem())
  const look = (ip: string, agents: readonly string[] = ['curl'], sessionId = 's1') => {
    const rawHeaders = agents.flatMap((agent) => ['User-Agent', agent])
    const facts = requestFacts({ rawHeaders, socket: {} })
    return fingerprints.verifyConnectionFingerprint(
      { ...ANN, sessionId },
      { ip, key: ip, isProxy: false },
      facts,
    )
  }
  const come = async (...from: Parameters<typeof look>) => {
    const seen = await look(...from)
    if (seen.allowed) fingerprints.accept(seen.value)
    return seen
  }
  return { look, come, events, fingerprints }
}

test('[FP.1] logs each change of a login’s place, and admits it', async () => {
  const { come, events } = setUp()
  const first = await come('10.0.0.1')
  await come('10.0.0.1')
  expect(events).toEqual([])
  const second = await come('10.0.0.2')
  await come('10.0.0.2')
  await come('10.0.0.1')
  if (!first.allowed || !second.allowed) throw new Error('refused')
  const changed = { event: 'fingerprint_changed', userId: 'ann', policy: 'observe' }
  expect(events).toEqual([
    { ...changed, ip: '10.0.0.2', fingerprint: second.value.fingerprint, previous: first.value.fingerprint },
    { ...changed, ip: '10.0.0.1', fingerprint: first.value.fingerprint, previous: second.value.fingerprint },
  ])
  expect(second.value).toMatchObject({ sessionId: 's1', mustProve: false })
})

test('[FP.1] compares program and address, per login', async () => {
  const { come, events } = setUp()
  await come('10.0.0.1', ['curl'])
  await come('10.0.0.9', ['other'], 's2')
  expect(events).toEqual([])
  await come('10.0.0.1', ['firefox'])
  expect(events).toHaveLength(1)
  await come('10.0.0.1', ['fire', 'fox'])
  expect(events).toHaveLength(2)
})

test('[FP.2] [FP.3] requires a proof of a change under challenge and refuses it under block, without storing refused places', async () => {
  const challenge = setUp('challenge')
  await challenge.come('10.0.0.1')
  for (let time = 0; time < 2; time++)
    expect(await challenge.look('10.0.0.2')).toMatchObject({ allowed: true, value: { mustProve: true } })
  expect(await challenge.look('10.0.0.1')).toMatchObject({ allowed: true, value: { mustProve: false } })
  expect(challenge.events).toHaveLength(2)
  const block = setUp('block')
  await block.come('10.0.0.1')
  for (let time = 0; time < 2; time++)
    expect(await block.come('10.0.0.2')).toEqual({ allowed: false, code: 'fingerprint_changed' })
  expect(await block.come('10.0.0.1')).toMatchObject({ allowed: true })
  expect(block.events).toMatchObject([{ ip: '10.0.0.2', policy: 'block' }, { ip: '10.0.0.2' }])
})

test('[FP.1] refuses when the store cannot be read, and ignores a failed write', async () => {
  const down: FingerprintStore = {
    last: () => Promise.reject(new Error('down')),
    remember: () => Promise.reject(new Error('down')),
  }
  const { look, fingerprints } = setUp('observe', down)
  await expect(look('10.0.0.1')).rejects.toThrow('down')
  fingerprints.accept({ sessionId: 's1', fingerprint: 'f', mustProve: false })
  await new Promise((resolve) => setImmediate(resolve))
})
