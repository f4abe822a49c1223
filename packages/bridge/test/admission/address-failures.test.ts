import { expect, test } from 'vitest'
import { FakeSystem } from '../../../../test/support/fake-system.ts'
import { Fingerprints } from '../../src/admission/fingerprints.ts'
import { memoryFingerprints } from '../../src/memory.ts'
import { type Asked, codeOf, HOST, setUp } from '../support/one-admission.ts'

test.each<[string, Asked, string]>([
  ['without a token', {}, 'token_missing'],
  ['with its token in the URL', { url: '/api/mcp-ws?token=ann/s' }, 'token_in_url'],
])('[ADDR.5] blocks an address at the tenth dial of a program %s', async (_what, asked, code) => {
  const { agent, named } = setUp()
  for (let time = 0; time < 9; time++) expect(codeOf(await agent(asked))).toBe(code)
  expect(codeOf(await agent({ token: 'ann/s' }))).toBe('in')
  expect(codeOf(await agent(asked))).toBe(code)
  expect(codeOf(await agent({ token: 'ann/s' }))).toBe('address_blocked')
  expect(named('ws_authentication_failed')[0]).toMatchObject({ reason: code, counted: true })
})

test.each<[string, Record<string, string>]>([
  ['an origin', { Origin: `https://${HOST}` }],
  ['a cookie', { Cookie: 'theme=dark' }],
  ['an origin and a cookie', { Origin: `https://${HOST}`, Cookie: 'theme=dark' }],
])(
  '[ADDR.7] never blocks an address for requests of a browser without a token, with %s',
  async (_what, headers) => {
    const { agent, named } = setUp()
    for (let time = 0; time < 12; time++) expect(codeOf(await agent({ headers }))).toBe('token_missing')
    expect(codeOf(await agent({ token: 'ann/s' }))).toBe('in')
    expect(named('ws_authentication_failed')[0]).toMatchObject({
      reason: 'token_missing',
      counted: undefined,
    })
  },
)

test('[ADDR.5] never blocks an address for callers without a token', async () => {
  const { caller, named } = setUp()
  for (let time = 0; time < 12; time++) expect(await caller({})).toBe('token_missing')
  expect(await caller({ token: 'ann/s' })).toBe('in')
  expect(named('address_blocked')).toEqual([])
})

test('[FP.3] refuses an agent from another place under the policy block', async () => {
  const system = new FakeSystem()
  const log = { logSecurityEvent: () => {}, afterWritten: () => {}, writable: true }
  const options = { policy: 'block', key: Buffer.alloc(32) } as const
  const fingerprints = new Fingerprints(options, memoryFingerprints(), log, system)
  const { admission, agent, named } = setUp({}, { fingerprints })
  const first = await agent({ token: 'ann/s' })
  if (!first.allowed) throw new Error(first.code)
  admission.challengePassed(first.value)
  expect(codeOf(await agent({ token: 'ann/s', from: '203.0.113.2' }))).toBe('fingerprint_changed')
  expect(named('ws_connection_refused')).toMatchObject([{ reason: 'fingerprint_changed', ip: '203.0.113.2' }])
  expect(codeOf(await agent({ token: 'ann/s' }))).toBe('in')
})

test('[BLOCK.5] admits callers, visitors and agents at once after an operator lifts their block', async () => {
  const { admission, agent, caller, request, saved } = setUp()
  const visitor = async () => codeOf(await admission.admitVisitor(request({})))
  const ways = [
    () => caller({ token: 'ann/s' }),
    visitor,
    async () => codeOf(await agent({ token: 'ann/s' })),
  ]
  for (const enter of ways) {
    for (let time = 0; time < 10; time++) await caller({ token: '!token_invalid' })
    expect(await enter()).toBe('address_blocked')
    saved.length = 0
    expect(await enter()).toBe('in')
  }
})

test('[BLOCK.5] admits an agent at once after an operator lifts its lock-out', async () => {
  const { admission, agent, saved } = setUp()
  for (let round = 0; round < 2; round++) {
    const verdict = await agent({ token: 'ann/s' })
    if (!verdict.allowed) throw new Error(verdict.code)
    for (let time = 0; time < 3; time++) admission.challengeFailed(verdict.value.login, verdict.value.address)
    expect(codeOf(await agent({ token: 'ann/s' }))).toBe('challenge_locked')
    saved.length = 0
    expect(codeOf(await agent({ token: 'ann/s' }))).toBe('in')
  }
})
