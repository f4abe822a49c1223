import { expect, test } from 'vitest'
import { PASSWORD, startAccounts, type TestAccounts } from '../support/accounts.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { hiddenFields, type Surfer, textOf } from '../support/surfer.ts'

async function world(): Promise<{ readonly accounts: TestAccounts; readonly root: Surfer }> {
  const accounts = await startAccounts({ system: new FakeSystem() })
  await accounts.user('root', { role: 'admin' })
  await accounts.user('ann', { password: '' })
  return { accounts, root: await accounts.login('root') }
}

test('[ACCT.7] shows an admin each user with their role, state, age and what may be done', async () => {
  const { accounts, root } = await world()
  const forms = (text: string) =>
    [...text.matchAll(/action="([^"]*)"|<button[^>]*>[^<]*<\/button>/g)]
      .map(([all, action]) => action ?? all)
      .slice(2)
  const page = await root.get('/account/users')
  expect(page.text).toContain('<h1>Users</h1>')
  expect(textOf(page.text)).toContain('ann@example.com Added just now')
  expect(textOf(page.text)).toContain('root@example.com you admin Added just now')
  expect(textOf(page.text)).not.toContain('suspended')
  expect(page.text).not.toContain('Next page')
  expect(forms(page.text)).toEqual([
    '/account/users/suspend',
    '<button class="bad" aria-label="Suspend: ann@example.com">Suspend</button>',
    '/account/users/logout',
    '<button class="plain" aria-label="End all logins: ann@example.com">End all logins</button>',
  ])
  expect(hiddenFields(page.text, '/account/users/suspend')).toMatchObject({ userId: 'user_ann' })
  await accounts.stores.users.setState('user_ann', 'suspended')
  const after = await root.get('/account/users')
  expect(textOf(after.text)).toContain('ann@example.com suspended')
  expect(forms(after.text).slice(0, 2)).toEqual([
    '/account/users/resume',
    '<button class="plain" aria-label="Resume: ann@example.com">Resume</button>',
  ])
})

test('[ACCT.7] shows 50 users on a page, and continues after the last one', async () => {
  const { accounts, root } = await world()
  for (let index = 10; index < 58; index++) await accounts.user(`b&${index}`, { password: '' })
  expect((await root.get('/account/users')).text).not.toContain('Next page')
  await accounts.user('b&58', { password: '' })
  const first = await root.get('/account/users')
  expect(first.text).toContain('<p><a href="/account/users?after=b%2658%40example.com">Next page</a></p>')
  const second = await root.get('/account/users?after=b%2658%40example.com')
  expect(textOf(second.text)).toContain('root@example.com')
  expect(textOf(second.text)).not.toContain('ann@example.com')
})

test('[ACCT.7] hides the page from others, and unknown users and oneself from an admin', async () => {
  const { accounts, root } = await world()
  await accounts.user('eve')
  const eve = await accounts.login('eve')
  const token = async (surfer: Surfer) => hiddenFields((await surfer.get('/account')).text, '/logout')
  expect(textOf((await eve.get('/account/users')).text)).toContain('Nothing here')
  for (const act of ['suspend', 'resume', 'logout']) {
    const path = `/account/users/${act}`
    expect((await eve.post(path, { ...(await token(eve)), userId: 'user_ann' })).status).toBe(404)
    for (const fields of [{}, { userId: 'none' }, { userId: 'user_root' }])
      expect((await root.post(path, { ...(await token(root)), ...fields })).status).toBe(404)
  }
  expect(await accounts.stores.users.findById('user_ann')).toMatchObject({ state: 'active' })
  expect((await root.get('/account')).path).toBe('/account')
})

test('[ACCT.7] says that a user is gone who was deleted meanwhile, and hides every other fault', async () => {
  const { accounts, root } = await world()
  const { users } = accounts.stores
  const page = await root.get('/account/users')
  const findById = users.findById.bind(users)
  // Deletes Ann between the look-up and the act.
  users.findById = async (userId) => {
    const found = await findById(userId)
    if (userId === 'user_ann') await users.remove(userId)
    return found
  }
  const gone = await root.submit(page, '/account/users/suspend')
  users.findById = findById
  expect([gone.status, textOf(gone.text).includes('Nothing here')]).toEqual([404, true])
  expect(accounts.recorded.named('page_failed')).toEqual([])

  await accounts.user('bob', { password: '' })
  const setState = users.setState.bind(users)
  users.setState = () => Promise.reject(new Error('The store is down.'))
  const failed = await root.submit(await root.get('/account/users'), '/account/users/suspend')
  users.setState = setState
  expect([failed.status, failed.text.includes('The store is down')]).toEqual([500, false])
  expect(accounts.recorded.named('page_failed')).toMatchObject([{ error: 'Error: The store is down.' }])
})

test('[PAGE.5] answers a fault with a page, and with JSON for a program', async () => {
  const { accounts, root } = await world()
  const { sessions } = accounts.stores
  const find = sessions.find.bind(sessions)
  sessions.find = () => Promise.reject(new Error('The store is down.'))
  const page = await root.get('/account')
  expect([page.status, page.text.includes('<h1>That did not work</h1>')]).toEqual([500, true])
  const json = await root.send('GET', '/account', undefined, { accept: 'text/html, application/json' })
  expect([json.status, JSON.parse(json.text)]).toMatchObject([500, { error: { code: 'internal_error' } }])
  sessions.find = find
  expect(accounts.recorded.named('page_failed')).toHaveLength(2)
  expect((await accounts.login('root', PASSWORD)).cookies.has('accessToken')).toBe(true)
})
