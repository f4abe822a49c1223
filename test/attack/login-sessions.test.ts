import { expect, test } from 'vitest'
import { PASSWORD, startAccounts } from '../support/accounts.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { Surfer } from '../support/surfer.ts'

/** A second browser with the same, stolen cookies. */
function copyOf(surfer: Surfer, url: string): Surfer {
  const thief = new Surfer(url)
  for (const [name, value] of surfer.cookies) thief.cookies.set(name, value)
  return thief
}

test('[LOGIN.6] ends the login when a copied refresh token is used by both owner and thief, in either order', async () => {
  for (const second of ['owner', 'thief'] as const) {
    const system = new FakeSystem()
    const accounts = await startAccounts({ system })
    await accounts.user('ann')
    const owner = await accounts.login('ann')
    const thief = copyOf(owner, accounts.url)
    system.advance(16 * 60_000)
    const [first, late] = second === 'owner' ? [thief, owner] : [owner, thief]
    expect((await first.get('/account')).path).toBe('/account')
    system.advance(10_001)
    expect((await late.get('/account')).path).toMatch(/^\/login/)
    // The first user of the token got fresh tokens, which are refused now.
    expect((await first.get('/account')).path).toMatch(/^\/login/)
    expect(accounts.recorded.named('refresh_token_reused')).toMatchObject([{ userId: 'user_ann' }])
    expect(await accounts.stores.sessions.ofUser('user_ann')).toEqual([])
  }
})

test('[LOGIN.4] refuses stolen cookies after a logout, at pages and at /mcp', async () => {
  const accounts = await startAccounts()
  await accounts.user('ann')
  const ann = await accounts.login('ann')
  const thief = copyOf(ann, accounts.url)
  const token = thief.cookies.get('accessToken') ?? ''
  const mcp = async (): Promise<number> => {
    const body = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
    const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
    return (
      await new Surfer(accounts.url).send('POST', '/mcp', body, {
        ...headers,
        authorization: `Bearer ${token}`,
      })
    ).status
  }
  expect(await mcp()).toBe(200)
  await ann.submit(await ann.get('/account'), '/logout')
  expect(await mcp()).toBe(401)
  expect((await thief.get('/account')).path).toMatch(/^\/login/)
  const refresh = await copyOf(thief, accounts.url).send('POST', '/auth/refresh', '', {
    origin: accounts.url,
  })
  expect(refresh.status).toBe(401)
  expect(accounts.recorded.named('session_ended')).toMatchObject([{ kind: 'browser', reason: 'logged_out' }])
})

test('[LOGIN.3] replaces planted cookies at login', async () => {
  const accounts = await startAccounts()
  await accounts.user('ann')
  await accounts.user('mallory')
  const mallory = await accounts.login('mallory')
  const planted = new Map(mallory.cookies)
  const victim = copyOf(mallory, accounts.url)
  victim.cookies.set('visit', 'x'.repeat(43))
  const page = await victim.get('/login?again=1')
  await victim.submit(page, '/login', { email: 'ann@example.com', password: PASSWORD })
  for (const name of ['accessToken', 'refreshToken'])
    expect(victim.cookies.get(name)).not.toBe(planted.get(name))
  const seen = await mallory.get('/account')
  expect(seen.text).not.toContain('ann@example.com')
})

test('[LOGIN.4] refuses the cookies of a suspended, deleted or logged-out user, and does not renew them', async () => {
  for (const end of ['suspend', 'delete', 'logout'] as const) {
    const system = new FakeSystem()
    const accounts = await startAccounts({ system })
    const { userId } = await accounts.user('ann')
    const ann = await accounts.login('ann')
    if (end === 'suspend') await accounts.stores.users.setState(userId, 'suspended')
    else if (end === 'delete') await accounts.stores.users.remove(userId)
    else {
      await accounts.stores.users.raiseTokenVersion(userId)
      for (const { sessionId } of await accounts.stores.sessions.ofUser(userId))
        await accounts.stores.sessions.end(sessionId)
    }
    await accounts.bridge.revoke({ kind: 'user', id: userId })
    for (const laterMs of [0, 16 * 60_000]) {
      system.advance(laterMs)
      expect((await copyOf(ann, accounts.url).get('/account')).path, end).toMatch(/^\/login/)
    }
  }
})

test('[LOGIN.1] refuses the token of a login that another process ended, without a notification', async () => {
  const accounts = await startAccounts()
  const user = await accounts.user('ann')
  const { accessToken, sessionId } = await accounts.tokens.issue(user, 3_600_000)
  await accounts.stores.sessions.end(sessionId)
  const seen = await new Surfer(accounts.url).send('POST', '/mcp', '{}', {
    'content-type': 'application/json',
    authorization: `Bearer ${accessToken}`,
  })
  expect([seen.status, seen.text.includes('login_revoked')]).toEqual([401, true])
})
