import { expect, test } from 'vitest'
import type { DeviceProofExchange, DeviceVerifier } from '../../src/admission/device-verifier.ts'
import { Revoker } from '../../src/admission/revoker.ts'
import { allow } from '../../src/gates/verdict.ts'
import type { Principal } from '../../src/ports.ts'
import { CAPS, codeOf, HOST, setUp } from '../support/one-admission.ts'

const MINUTE_MS = 60_000

test('[ADDR.1] blocks an address at every door at its tenth failure within a minute, and no other', async () => {
  const { admission, caller, agent, request, named, saved, system } = setUp()
  for (let time = 0; time < 9; time++) expect(await caller({ token: '!token_invalid' })).toBe('token_invalid')
  expect(await caller({ token: 'ann/s' })).toBe('in')
  expect(await caller({ token: '!token_invalid' })).toBe('token_invalid')
  expect(await caller({ token: 'ann/s' })).toBe('address_blocked')
  expect(codeOf(await agent({ token: 'ann/s' }))).toBe('address_blocked')
  expect(codeOf(await admission.admitVisitor(request({})))).toBe('address_blocked')
  expect(await caller({ token: 'ann/s', from: '203.0.113.2' })).toBe('in')
  expect(named('address_blocked')).toEqual([
    { event: 'address_blocked', ip: '203.0.113.1', retryAfter: 3_600 },
  ])
  expect(saved).toEqual([{ kind: 'address', key: '203.0.113.1', untilMs: system.nowMs() + 3_600_000 }])
  system.advance(3_600_000)
  expect(await caller({ token: 'ann/s' })).toBe('in')
})

test('[ADDR.1] allows ten failures again after a block expires, and then blocks again', async () => {
  const { caller, saved, system } = setUp()
  for (let round = 1; round <= 2; round++) {
    for (let time = 0; time < 10; time++) await caller({ token: '!token_invalid' })
    expect(await caller({ token: 'ann/s' })).toBe('address_blocked')
    expect(saved).toHaveLength(round)
    system.advance(3_600_000)
  }
})

test('[TLS.1] [ORIGIN.3] checks transport, host and origin before the token', async () => {
  const { caller, agent, admission, request, asked, named } = setUp()
  expect(await caller({ token: 'ann/s', encrypted: false })).toBe('transport_insecure')
  expect(await caller({ token: 'ann/s', headers: { Host: 'evil.example' } })).toBe('host_forbidden')
  expect(await caller({ token: 'ann/s', headers: { Origin: 'https://evil.example' } })).toBe(
    'origin_forbidden',
  )
  expect(codeOf(await agent({ token: 'ann/s', headers: { Origin: 'https://evil.example' } }))).toBe(
    'origin_forbidden',
  )
  // Admits pages from any origin; the page checks the origin itself.
  expect(
    await admission.admitVisitor(request({ headers: { Origin: 'https://evil.example' } })),
  ).toMatchObject({
    allowed: true,
    value: { ip: '203.0.113.1' },
  })
  expect(codeOf(await admission.admitVisitor(request({ headers: { Host: 'evil.example' } })))).toBe(
    'host_forbidden',
  )
  expect(asked).toEqual([])
  expect(named('ws_insecure_connection_rejected')).toEqual([
    { event: 'ws_insecure_connection_rejected', ip: '203.0.113.1', url: '/x', suppressed: undefined },
  ])
  expect(named('page_request_refused')).toMatchObject([{ reason: 'host_forbidden' }])
  expect(await caller({})).toBe('token_missing')
  expect(codeOf(await agent({}))).toBe('token_missing')
})

test('[AUTH.8] admits a caller by a cached token without verifying it again', async () => {
  const { admission, request, recalled, asked } = setUp()
  recalled.set('t', { userId: 'ann', sessionId: 's', scopes: ['tools:list'], expiresAtMs: 9 })
  const verdict = await admission.admitCaller(request({ token: 't' }))
  if (!verdict.allowed) throw new Error('It was not recalled.')
  const { login, ...caller } = verdict.value
  expect(caller).toEqual({ userId: 'ann', sessionId: 's', scopes: ['tools:list'], ip: '203.0.113.1' })
  expect([login.userId, asked]).toEqual(['ann', []])
})

test('[REVOKE.1] [REVOKE.3] verifies a cached token of a revoked login again, and refuses one revoked during verification', async () => {
  const { admission, request, caller, recalled, revoker, asked, named } = setUp()
  recalled.set('ann/s', { userId: 'ann', sessionId: 's', expiresAtMs: 9 })
  expect(await caller({ token: 'ann/s' })).toBe('in')
  await revoker.revoke({ kind: 'session', id: 's' })
  expect(await caller({ token: 'ann/s' })).toBe('login_revoked')
  expect(asked).toEqual(['ann/s'])
  const admitting = admission.admitCaller(request({ token: 'bob/b' }))
  for (let turn = 0; turn < 10 && !asked.includes('bob/b'); turn++) await Promise.resolve()
  await revoker.revoke({ kind: 'user', id: 'bob' })
  expect(codeOf(await admitting)).toBe('login_revoked')
  expect(named('mcp_authentication_failed')).toMatchObject([
    { reason: 'login_revoked' },
    { reason: 'login_revoked' },
  ])
})

test('[REVOKE.6] verifies no token while it may have missed revocations', async () => {
  const store = { publish: async () => {}, watch: () => () => {}, behindMs: () => 5_001 }
  const authenticator = {
    recall: () => undefined,
    authenticate: async () => allow({ userId: 'a', sessionId: 's', expiresAtMs: 9 }),
  }
  const revoker = new Revoker(store, authenticator, {
    logSecurityEvent: () => {},
    afterWritten: () => {},
    writable: true,
  })
  const { agent, caller } = setUp({}, { revoker, authenticator })
  await expect(agent({ token: 't' })).rejects.toThrow()
  await expect(caller({ token: 't' })).rejects.toThrow()
})

test('[CONN.2] admits as many upgrades of one address per minute as allowed, and no more', async () => {
  const { agent, system } = setUp({ connections: { ...CAPS, handshakes: 3 } })
  for (let round = 0; round < 2; round++) {
    for (let time = 0; time < 3; time++) expect(codeOf(await agent({ token: 'ann/s' }))).toBe('in')
    expect(codeOf(await agent({ token: 'ann/s' }))).toBe('handshake_rate_exceeded')
    expect(codeOf(await agent({ token: 'ann/s', from: '203.0.113.2' }))).toBe('in')
    system.advance(MINUTE_MS)
  }
})

test('[CONN.1] refuses a user’s connection above the limit, and admits one again after another ends', async () => {
  const { admission, agent, named } = setUp()
  for (let round = 0; round < 3; round++) {
    const admitted = await Promise.all([1, 2, 3].map((n) => agent({ token: `ann/s${n}` })))
    const [one, two, three] = admitted.map((verdict) => (verdict.allowed ? verdict.value : undefined))
    if (one === undefined || two === undefined || three === undefined) throw new Error('refused')
    expect([one, two, three].map((each) => codeOf(admission.enter(each)))).toEqual([
      'in',
      'in',
      'too_many_connections',
    ])
    expect(named('ws_connection_refused')).toHaveLength(round + 1)
    admission.left(one.login, one.address)
    expect(codeOf(admission.enter(three))).toBe('in')
    for (const each of [two, three]) admission.left(each.login, each.address)
  }
})

test('[REVOKE.3] refuses an agent revoked between admission and handshake', async () => {
  const { admission, agent, revoker, named } = setUp()
  const verdict = await agent({ token: 'ann/s' })
  if (!verdict.allowed) throw new Error('refused')
  await revoker.revoke({ kind: 'user', id: 'ann' })
  expect(codeOf(admission.enter(verdict.value))).toBe('login_revoked')
  expect(named('ws_authentication_failed')).toMatchObject([{ reason: 'login_revoked' }])
})

test('[CHAL.6] locks user and address at the third wrong answer, longer each time, and stores the lock', async () => {
  const { admission, agent, named, saved, system } = setUp()
  for (const [round, lockMs] of [
    [1, MINUTE_MS],
    [2, 2 * MINUTE_MS],
  ] as const) {
    const verdict = await agent({ token: 'ann/s' })
    if (!verdict.allowed) throw new Error(verdict.code)
    const { login, address } = verdict.value
    expect([1, 2, 3].map(() => admission.challengeFailed(login, address))).toEqual([false, false, true])
    expect(codeOf(await agent({ token: 'ann/s' }))).toBe('challenge_locked')
    expect(codeOf(await agent({ token: 'bob/s' }))).toBe('in')
    expect(codeOf(await agent({ token: 'ann/s', from: '203.0.113.2' }))).toBe('in')
    const locked = { event: 'challenge_locked', userId: 'ann', ip: '203.0.113.1', retryAfter: lockMs / 1_000 }
    expect(named('challenge_locked')[round - 1]).toEqual(locked)
    expect(saved.at(-1)).toMatchObject({ kind: 'challenge', untilMs: system.nowMs() + lockMs })
    system.advance(lockMs)
  }
})

test('[CHAL.7] resets the count of wrong answers at each right one', async () => {
  const { admission, agent } = setUp()
  for (let round = 0; round < 4; round++) {
    const verdict = await agent({ token: 'ann/s' })
    if (!verdict.allowed) throw new Error(verdict.code)
    const { login, address } = verdict.value
    expect([1, 2].map(() => admission.challengeFailed(login, address))).toEqual([false, false])
    admission.challengePassed(verdict.value)
  }
})

test('[ADDR.5] counts wrong answers and wrong logins against the address', async () => {
  const { admission, agent, caller } = setUp()
  const verdict = await agent({ token: 'ann/s' })
  if (!verdict.allowed) throw new Error(verdict.code)
  for (let time = 0; time < 5; time++) admission.visitorFailed(verdict.value.address)
  for (let time = 0; time < 5; time++) admission.challengeFailed(verdict.value.login, verdict.value.address)
  expect(await caller({ token: 'ann/s' })).toBe('address_blocked')
})

test('[SCOPE.3] [RS.4] refuses an agent without the connect scope or with a token for callers', async () => {
  const principal: Principal = { userId: 'ann', sessionId: 's', expiresAtMs: 9 }
  const of = (changes: Partial<Principal>) =>
    setUp(
      {},
      {
        authenticator: {
          recall: () => undefined,
          authenticate: async () => allow({ ...principal, ...changes }),
        },
      },
    )
  expect(codeOf(await of({ scopes: ['tools:list'] }).agent({ token: 't' }))).toBe('scope_insufficient')
  expect(codeOf(await of({ scopes: ['agent:connect'] }).agent({ token: 't' }))).toBe('in')
  expect(
    codeOf(await of({ resource: `https://${HOST}/mcp` }).agent({ token: 't', url: '/api/mcp-ws' })),
  ).toBe('token_invalid')
  expect(await of({ resource: `https://${HOST}/mcp` }).caller({ token: 't', url: '/mcp' })).toBe('in')
  expect(await of({ resource: `https://${HOST}/mcp` }).caller({ token: 't', url: '/mcp/a' })).toBe(
    'token_invalid',
  )
})

/** A user with this number of devices. */
function devicesOf(enrolled: readonly string[]) {
  const begun: string[] = []
  const deviceVerifier = {
    hasEnrolled: async (userId: string) => enrolled.includes(userId),
    begin: async (principal: Principal, token: string) => {
      begun.push(`${principal.deviceId} ${token}`)
      return allow({ connectionId: 'c' } as DeviceProofExchange)
    },
  } as unknown as DeviceVerifier
  return { deviceVerifier, begun }
}

test('[PROOF.6] [PROOF.7] requires a device’s proof, and refuses the echo of a user who has or had a device', async () => {
  const { deviceVerifier, begun } = devicesOf(['bob'])
  const { agent, named } = setUp({}, { deviceVerifier })
  expect(await agent({ token: 'ann/s/d1' })).toMatchObject({
    value: { device: { connectionId: 'c' }, version: 'v2' },
  })
  expect(begun).toEqual(['d1 ann/s/d1'])
  expect(codeOf(await agent({ token: 'ann/s/d1' }, 'v1'))).toBe('proof_required')
  expect(codeOf(await agent({ token: 'bob/s' }))).toBe('proof_required')
  const echo = await agent({ token: 'ann/s' })
  expect(echo.allowed && echo.value.device).toBeUndefined()
  expect(begun).toHaveLength(1)
  expect(named('proof_downgrade_rejected')).toMatchObject([
    { userId: 'ann', ip: '203.0.113.1', version: 'v1' },
    { userId: 'bob', version: 'v2' },
  ])
  expect(codeOf(await setUp().agent({ token: 'ann/s/d1' }))).toBe('proof_required')
  expect(codeOf(await setUp().agent({ token: 'bob/s' }))).toBe('in')
})

test('[PROOF.8] refuses the echo in production unless allowed, and logs each use', async () => {
  const strict = setUp({ proofs: { production: true, allowEcho: false } })
  expect(codeOf(await strict.agent({ token: 'ann/s' }))).toBe('proof_required')
  for (const [production, recorded] of [
    [true, 1],
    [false, 0],
  ] as const) {
    const { admission, agent, named } = setUp({ proofs: { production, allowEcho: true } })
    const verdict = await agent({ token: 'ann/s' })
    if (!verdict.allowed) throw new Error(verdict.code)
    admission.challengePassed(verdict.value)
    expect(named('echo_accepted')).toHaveLength(recorded)
  }
  const { deviceVerifier } = devicesOf([])
  const proven = setUp({ proofs: { production: true, allowEcho: true } }, { deviceVerifier })
  const verdict = await proven.agent({ token: 'ann/s/d1' })
  if (verdict.allowed) proven.admission.challengePassed(verdict.value)
  expect([verdict.allowed, proven.named('echo_accepted')]).toEqual([true, []])
})

test('[FP.1] stores an agent’s place after verification, and reports a change once it has a socket', async () => {
  const { admission, agent, named } = setUp()
  const first = await agent({ token: 'ann/s' })
  if (!first.allowed) throw new Error(first.code)
  admission.opened(first.value)
  expect(named('ws_connection_established')).toEqual([
    {
      event: 'ws_connection_established',
      userId: 'ann',
      ip: '203.0.113.1',
      fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
    },
  ])
  await agent({ token: 'ann/s', from: '203.0.113.2' })
  expect(named('fingerprint_changed')).toEqual([])
  admission.challengePassed(first.value)
  await agent({ token: 'ann/s', from: '203.0.113.2' })
  expect(named('fingerprint_changed')).toHaveLength(1)
})
