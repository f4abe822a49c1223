import { limits } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { allow } from '../../src/gates/verdict.ts'
import { denied, OneConnection, settled } from '../support/one-connection.ts'

const CATALOG = { type: 'catalog', servers: [] }

/** A device whose renewals are due after exactly ten minutes. */
async function device(lifetimeMs?: number) {
  const one = new OneConnection({ withDevice: true, ...(lifetimeMs !== undefined && { lifetimeMs }) })
  one.system.randomBytes = (count) => Buffer.alloc(count, count === 4 ? 0 : ++draws % 256)
  await one.ready()
  return one
}
let draws = 0

async function afterRenewal(one: OneConnection) {
  one.system.advance(limits.renewalMs)
  await settled()
}

test('[PROOF.3] asks a device for its proof, verifies it, and countersigns it', async () => {
  const one = await device()
  expect(one.socket.sent[0]).toMatchObject({
    type: 'challenge',
    expiresIn: 30_000,
    proof: { connectionId: 'c1', binding: 'none' },
  })
  expect(one.connection.connectionId).toBe('c1')
  expect(one.happened).toEqual(['verified'])
  expect(one.sent('challenge_verified')).toMatchObject([{ proof: { signature: expect.any(String) } }])
  expect(one.named('ws_challenge_verified')).toHaveLength(1)
})

test('[PROOF.3] closes at once on an invalid or missing proof, and accepts no second attempt', async () => {
  for (const answer of [{ type: 'challenge_response', response: 'x' }, undefined]) {
    const one = new OneConnection({ withDevice: true })
    if (answer === undefined) one.prove({ userId: 'bob' })
    else one.send(answer)
    expect(one.socket.closedWith).toBe('1008 proof_failed')
    one.prove()
    await settled()
    expect(one.happened).toEqual(['challenge failed'])
    expect(one.named('ws_challenge_verification_failed')).toMatchObject([
      { reason: 'proof_failed', check: answer === undefined ? expect.any(String) : 'missing' },
    ])
  }
})

test('[PROOF.9] does not report a device ready during its look-up, and closes with the code of a denial', async () => {
  for (const [code, closedWith] of [
    ['device_key_copied', '4510 device_key_copied'],
    ['device_unknown', '4510 device_unknown'],
  ] as const) {
    const one = new OneConnection({ withDevice: true })
    one.confirm = async () => denied(code)
    one.prove()
    one.send(CATALOG)
    expect(one.sent('error')).toMatchObject([{ error: 'challenge_required' }])
    await settled()
    expect([one.happened, one.socket.closedWith]).toEqual([[], closedWith])
  }
})

test('[PROOF.9] closes with 1011 when the store is down during a look-up', async () => {
  const one = new OneConnection({ withDevice: true })
  one.confirm = () => Promise.reject(new Error('down'))
  one.prove()
  await settled()
  expect([one.happened, one.socket.closedWith]).toEqual([[], '1011 internal_error'])
})

test('[PROOF.9] accepts a repeated answer once while the first is looked up', async () => {
  const one = new OneConnection({ withDevice: true })
  one.prove()
  one.prove()
  await settled()
  expect(one.happened).toEqual(['verified'])
  expect(one.sent('challenge_verified')).toHaveLength(1)
})

test('[CHAL.4] does not verify a device whose look-up outlasts the deadline', async () => {
  const one = new OneConnection({ withDevice: true })
  let answer = (): void => {}
  one.confirm = () => new Promise((resolve) => (answer = () => resolve(allow(undefined))))
  one.prove()
  one.system.advance(30_000)
  expect(one.socket.closedWith).toBe('4408 challenge_timeout')
  answer()
  await settled()
  expect(one.happened).toEqual([])
})

test('[PROOF.10] renews a device’s proof every ten minutes, without interrupting calls', async () => {
  const one = await device()
  for (let time = 1; time <= 3; time++) {
    await afterRenewal(one)
    expect(one.sent('challenge')).toHaveLength(1 + time)
    expect(one.call().id).toBeDefined()
    one.prove({ purpose: 'renew' })
    expect(one.sent('challenge_verified')).toHaveLength(1 + time)
    one.send({ type: 'tool_result', id: one.socket.idsOf('tool_execute').at(-1), success: true, result: {} })
  }
  expect(new Set(one.sent('challenge').map(({ challenge }) => challenge)).size).toBe(4)
  expect([one.socket.closedWith, one.outcomes]).toEqual([undefined, ['{}', '{}', '{}']])
  expect(one.happened).toEqual(['verified'])
})

test('[PROOF.10] closes with 4408 on a late renewal, and with 1008 on a wrong one', async () => {
  const silent = await device()
  await afterRenewal(silent)
  silent.system.advance(limits.challengeMs)
  expect(silent.socket.closedWith).toBe('4408 challenge_timeout')
  expect(silent.named('proof_renewal_failed')).toMatchObject([{ reason: 'challenge_timeout' }])
  const wrong = await device()
  await afterRenewal(wrong)
  wrong.prove({ purpose: 'connect' })
  expect(wrong.socket.closedWith).toBe('1008 proof_failed')
  expect(wrong.named('proof_renewal_failed')).toMatchObject([
    { reason: 'proof_failed', check: expect.any(String) },
  ])
  expect(wrong.happened).toEqual(['verified', 'challenge failed', 'ended'])
})

test('[PROOF.10] accepts the answer to a renewal once, and none without a challenge', async () => {
  const one = await device()
  one.prove({ purpose: 'renew' })
  expect(one.sent('challenge_verified')).toHaveLength(1)
  await afterRenewal(one)
  one.prove({ purpose: 'renew' })
  one.prove({ purpose: 'renew' })
  expect(one.sent('challenge_verified')).toHaveLength(2)
  expect(one.socket.closedWith).toBeUndefined()
})

test('[PROOF.10] retries a store that is down after ten seconds, and closes an unknown device', async () => {
  const one = await device()
  if (one.proofs === undefined) throw new Error('unreachable')
  const { proofs } = one
  let asked = 0
  const renewal = proofs.renewal.bind(proofs)
  proofs.renewal = (...args) => (++asked < 3 ? Promise.reject(new Error('down')) : renewal(...args))
  await afterRenewal(one)
  for (let time = 0; time < 2; time++) {
    expect(one.sent('challenge')).toHaveLength(1)
    one.system.advance(10_000)
    await settled()
  }
  expect([asked, one.sent('challenge').length]).toEqual([3, 2])
  const gone = await device()
  if (gone.proofs !== undefined) gone.proofs.answer = () => denied('device_unknown')
  await afterRenewal(gone)
  expect(gone.socket.closedWith).toBe('4510 device_unknown')
})

/** A fresh token that ends so much later. */
function grants(one: OneConnection, lifetimeMs: number): void {
  const expiresAtMs = one.system.nowMs() + lifetimeMs
  if (one.proofs === undefined) throw new Error('unreachable')
  one.proofs.answer = (token) =>
    allow(token === undefined ? undefined : { userId: 'ann', sessionId: 's1', deviceId: 'd1', expiresAtMs })
}

function proveToken(one: OneConnection, token: string): void {
  Object.assign(one.device, { accessToken: token })
  one.prove({ purpose: 'renew' })
}

test('[PROOF.11] moves the end of the connection once the proof of a fresh token holds, repeatedly', async () => {
  const one = await device(60_000)
  for (let time = 1; time <= 2; time++) {
    grants(one, 60_000)
    one.send({ type: 'reauthenticate', token: `fresh ${time}` })
    await settled()
    expect(one.sent('challenge')).toHaveLength(1 + time)
    proveToken(one, `fresh ${time}`)
    expect(one.connection.principal.expiresAtMs).toBe(one.system.nowMs() + 60_000)
    one.system.advance(40_000)
    expect(one.socket.closedWith).toBeUndefined()
  }
  one.system.advance(20_000)
  expect(one.socket.closedWith).toBe('4401 token_expired')
})

test('[PROOF.11] moves nothing for a fresh token without its proof', async () => {
  const one = await device(60_000)
  grants(one, 600_000)
  one.send({ type: 'reauthenticate', token: 'fresh' })
  await settled()
  expect(one.connection.principal.expiresAtMs).toBe(one.system.nowMs() + 60_000)
  one.system.advance(30_000)
  expect(one.socket.closedWith).toBe('4408 challenge_timeout')
})

test('[PROOF.11] answers a refused or unverifiable token with its code, and keeps the connection', async () => {
  const one = await device()
  if (one.proofs === undefined) throw new Error('unreachable')
  one.proofs.answer = () => denied('token_invalid')
  one.send({ type: 'reauthenticate', token: 'bad' })
  await settled()
  expect(one.sent('error')).toMatchObject([{ error: 'token_invalid' }])
  one.proofs.renewal = () => Promise.reject(new Error('down'))
  one.send({ type: 'reauthenticate', token: 'good' })
  await settled()
  expect(one.sent('error')).toMatchObject([{}, { error: 'internal_error' }])
  expect(one.named('proof_renewal_failed')).toMatchObject([
    { reason: 'token_invalid' },
    { reason: 'internal_error' },
  ])
  expect([one.socket.closedWith, one.sent('challenge').length]).toEqual([undefined, 1])
})

test('[PROOF.11] accepts one token at a time, and replaces an open challenge by the token’s', async () => {
  const one = await device()
  await afterRenewal(one)
  grants(one, 600_000)
  one.send({ type: 'reauthenticate', token: 'fresh' })
  one.send({ type: 'reauthenticate', token: 'other' })
  expect(one.sent('error')).toMatchObject([
    { error: 'message_invalid', message: expect.stringContaining('Another token is still being verified.') },
  ])
  // An answer to the replaced challenge has no effect, right or wrong.
  one.send({ type: 'challenge_response', response: 'x' })
  await settled()
  one.send({ type: 'reauthenticate', token: 'third' })
  expect(one.sent('error')).toHaveLength(2)
  proveToken(one, 'fresh')
  expect([one.socket.closedWith, one.sent('challenge_verified').length]).toEqual([undefined, 2])
})

test('[PROOF.11] ignores late answers to replaced challenges, right or wrong, and accepts the token’s', async () => {
  const one = await device()
  await afterRenewal(one)
  for (const token of ['first', 'second']) {
    grants(one, 600_000)
    one.send({ type: 'reauthenticate', token })
    await settled()
    // The answer arrives after the challenge for the token is open.
    if (token === 'first') one.send({ type: 'challenge_response', response: 'late' })
    expect(one.socket.closedWith).toBeUndefined()
    proveToken(one, token)
    expect(one.sent('challenge_verified')).toHaveLength(token === 'first' ? 2 : 3)
  }
  expect(one.socket.closedWith).toBeUndefined()
})

test('[PROOF.11] restarts a renewal that was replaced by a refused token', async () => {
  const one = await device()
  if (one.proofs === undefined) throw new Error('unreachable')
  await afterRenewal(one)
  one.proofs.answer = (token) => (token === undefined ? allow(undefined) : denied('token_invalid'))
  one.send({ type: 'reauthenticate', token: 'bad' })
  one.send({ type: 'challenge_response', response: 'answer to the one that gave way' })
  await settled()
  await settled()
  expect(one.sent('challenge')).toHaveLength(3)
  one.prove({ purpose: 'renew' })
  expect([one.socket.closedWith, one.sent('challenge_verified').length]).toEqual([undefined, 2])
})

test('[PROOF.11] [MSG.4] verifies as many tokens per minute as it answers bad messages, and closes at one more', async () => {
  const one = await device()
  if (one.proofs === undefined) throw new Error('unreachable')
  one.proofs.answer = () => denied('token_invalid')
  for (let time = 0; time < limits.strikes; time++) {
    one.send({ type: 'reauthenticate', token: `bad ${time}` })
    await settled()
  }
  expect([one.sent('error').length, one.socket.closedWith]).toEqual([limits.strikes, undefined])
  one.send({ type: 'reauthenticate', token: 'one more' })
  expect(one.socket.closedWith).toBe('4400 message_invalid')
})

test('[PROOF.11] refuses a fresh token of an agent without a device, which has no challenge to answer', async () => {
  const one = await new OneConnection().ready()
  one.send({ type: 'reauthenticate', token: 'fresh' })
  expect(one.sent('error')).toMatchObject([{ error: 'proof_required' }])
  one.send({ type: 'challenge_response', response: one.rightAnswer })
  one.connection.onDue('renew')
  one.connection.onDue('challenge-timeout')
  await settled()
  expect([one.sent('challenge').length, one.sent('challenge_verified').length]).toEqual([1, 1])
  expect([one.socket.closedWith, one.connection.connectionId]).toEqual([undefined, undefined])
})
