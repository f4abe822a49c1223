import { join } from 'node:path'
import { serveSettings } from '@bridgekeeper/standalone'
import { beforeAll, expect, test, vi } from 'vitest'
import { bridgekeeper, jsonOf, type RunningBridge, serve } from '../support/installation.ts'
import { repository } from '../support/program.ts'
import { Surfer, textOf } from '../support/surfer.ts'
import { atTerminal } from '../support/terminal.ts'

const PASSWORD = 'a horse that reads maps'
let bridge: RunningBridge

beforeAll(async () => {
  bridge = await serve()
})

function user(args: readonly string[], password?: string) {
  const stdin = password === undefined ? [] : ['--password-stdin']
  return bridgekeeper(
    ['user', ...args, ...stdin, '--data', bridge.data, '--json'],
    {},
    password && `${password}\n`,
  )
}

async function logIn(
  email: string,
  password: string,
): Promise<{ readonly surfer: Surfer; readonly text: string }> {
  const surfer = new Surfer(bridge.url)
  const seen = await surfer.submit(await surfer.get('/login'), '/login', { email, password })
  return { surfer, text: textOf(seen.text) }
}

test('[CLI.20] adds an admin with a password, who logs in at the running bridge, and deletes them', async () => {
  const email = 'root@example.com'
  const added = await jsonOf(user(['add', email, '--admin'], PASSWORD))
  expect(added).toMatchObject({ userId: expect.stringMatching(/^user_/), email, role: 'admin' })
  const { surfer, text } = await logIn(email, PASSWORD)
  expect(text).toContain('Your account')
  expect((await surfer.get('/account/users')).status).toBe(200)
  await jsonOf(user(['role', email, 'user']))
  expect((await surfer.get('/account/users')).status).toBe(404)
  expect(await jsonOf(user(['delete', email]))).toEqual({ ...(added as object), role: 'user' })
  expect((await surfer.get('/account')).path).toMatch(/^\/login/)
  expect((await user(['delete', email])).stdout).toContain('user_unknown')
})

test('[CLI.20] ends existing logins within a second of a new password', async () => {
  const email = 'ann@example.com'
  await jsonOf(user(['add', email], PASSWORD))
  const { surfer } = await logIn(email, PASSWORD)
  await jsonOf(user(['password', email], 'another horse reads maps'))
  await vi.waitFor(async () => expect((await surfer.get('/account')).path).toMatch(/^\/login/))
  expect((await logIn(email, PASSWORD)).text).toContain('password is wrong')
  expect((await logIn(email, 'another horse reads maps')).text).toContain('Your account')
})

test('[CLI.20] leaves no user and repeats no password when the password is refused', async () => {
  const short = await user(['add', 'bob@example.com'], 'short one')
  expect(short.code).toBe(1)
  expect(JSON.parse(short.stdout).error.code).toBe('password_refused')
  expect(short.stdout + short.stderr).not.toContain('short one')
  expect((await user(['password', 'bob@example.com'], PASSWORD)).stdout).toContain('user_unknown')
  expect(JSON.parse((await user(['password', 'ann@example.com'])).stdout).error.code).toBe('usage')
  expect(JSON.parse((await user(['add', 'bob@example.com'], '')).stdout).error.code).toBe('usage')
  expect(JSON.parse((await user(['role', 'ann@example.com', 'king'])).stdout).error.code).toBe('usage')
})

test('[CLI.20] asks for a password twice at a terminal, without showing it', async () => {
  const command = join(repository, 'packages/cli/bin/bridgekeeper.mjs')
  const typed = (second: string): Promise<string> =>
    atTerminal(`node ${command} user add carl@example.com --data ${bridge.data}`, [
      ['Password', `${PASSWORD}x\u007f\r`],
      ['Repeat', `${second}\r`],
    ])
  expect(await typed('something else')).toContain('differ')
  const shown = await typed(PASSWORD)
  expect(shown).toContain('Added carl@example.com')
  expect(shown).not.toContain(PASSWORD.slice(0, 8))
  expect((await logIn('carl@example.com', PASSWORD)).text).toContain('Your account')
})

test('[CLI.20] refuses a short password before it asks to repeat it', async () => {
  const command = join(repository, 'packages/cli/bin/bridgekeeper.mjs')
  await jsonOf(user(['add', 'eve@example.com'], PASSWORD))
  for (const args of ['add erik@example.com', 'password eve@example.com']) {
    const shown = await atTerminal(`node ${command} user ${args} --data ${bridge.data}`, [
      ['Password', 'short one\r'],
      ['Repeat', '\u0003'],
    ])
    expect(shown).toContain('code:  password_refused')
    expect(shown).not.toContain('Repeat')
  }
})

test.each([
  ['Ctrl-C', '\u0003', 'interrupted', 130],
  ['Ctrl-D', '\u0004', 'usage', 1],
])(
  '[CLI.20] [CLI.35] changes nothing on %s at the password prompt, and leaves the terminal as it was',
  async (_name, key, code, exitCode) => {
    const command = join(repository, 'packages/cli/bin/bridgekeeper.mjs')
    const args = `user add dora@example.com --data ${bridge.data}`
    for (const answers of [
      [['Password', key]],
      [
        ['Password', 'one two three\r'],
        ['Repeat', key],
      ],
    ] as const) {
      const shown = await atTerminal(`node ${command} ${args}; echo "exit $?"; stty -a`, answers)
      expect(shown).toMatch(new RegExp(`Nothing was changed.*code: {2}${code}.*exit ${exitCode}\\r?\\n`, 's'))
      expect(shown).toMatch(/ icanon .* echo /s)
    }
    expect((await user(['delete', 'dora@example.com'])).stdout).toContain('user_unknown')
  },
)

test('[SSO.4] requires every setting of a provider in the environment, or none', () => {
  const ssoSettings = (env: Readonly<Record<string, string>>) =>
    serveSettings({ flags: {}, env }).loginProvider
  const whole = {
    BRIDGEKEEPER_SSO_ISSUER: 'https://login.example.com/tenant',
    BRIDGEKEEPER_SSO_CLIENT_ID: 'bridge',
    BRIDGEKEEPER_SSO_CLIENT_SECRET: 'secret',
  }
  expect(ssoSettings({})).toBeUndefined()
  expect(ssoSettings(whole)).toMatchObject({ clientId: 'bridge', createUsers: false })
  expect(
    ssoSettings({ ...whole, BRIDGEKEEPER_SSO_CREATE: '1', BRIDGEKEEPER_SSO_NAME: 'Example' }),
  ).toMatchObject({
    createUsers: true,
    name: 'Example',
  })
  for (const name of Object.keys(whole))
    expect(() => ssoSettings({ ...whole, [name]: '' })).toThrow(`${name} must also be set`)
  expect(() => ssoSettings({ ...whole, BRIDGEKEEPER_SSO_ISSUER: 'http://login.example.com' })).toThrow(
    /BRIDGEKEEPER_SSO_ISSUER must be an https address/,
  )
  const file = {
    ...whole,
    BRIDGEKEEPER_SSO_CLIENT_SECRET: '',
    BRIDGEKEEPER_SSO_CLIENT_SECRET_FILE: '/nowhere',
  }
  expect(() => ssoSettings(file)).toThrow(/cannot be read/)
})
