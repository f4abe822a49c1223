import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { bridgekeeper, jsonOf, type RunningBridge, serve } from '../support/installation.ts'
import { bearer, post } from '../support/mcp.ts'
import { scratch } from '../support/scratch.ts'

let bridge: RunningBridge

beforeAll(async () => {
  bridge = await serve()
})

const DISCOVER = { jsonrpc: '2.0', id: 1, method: 'ping' }

describe.each(['a separate folder', 'the folder of a running bridge'])('in %s', (where) => {
  const folder = () => (where.startsWith('a separate') ? join(scratch(), 'new/data') : bridge.data)

  test('[CLI.1] user add and token issue give what an agent and a caller need, as JSON', async () => {
    const data = folder()
    const email = 'ann@example.com'
    const user = await jsonOf(bridgekeeper(['user', 'add', email, '--data', data, '--json']))
    const userId = expect.stringMatching(/^user_[0-9a-f]{24}$/)
    expect(user).toMatchObject({ userId, email, role: 'user', state: 'active' })
    const issued = await jsonOf(bridgekeeper(['token', 'issue', email, '--data', data, '--json']))
    expect(issued).toEqual({
      userId: (user as { userId: string }).userId,
      accessToken: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      sessionId: expect.stringMatching(/^[0-9a-f]{32}$/),
      expiresAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    })
    const { accessToken, expiresAt } = issued as { accessToken: string; expiresAt: string }
    const hours = (Date.parse(expiresAt) - Date.now()) / 3_600_000
    expect(hours).toBeGreaterThan(11.9)
    expect(hours).toBeLessThanOrEqual(12.1)
    // The running bridge knows the user at once; another bridge has another secret.
    const { status } = await post(bridge, '/mcp', DISCOVER, bearer(accessToken))
    expect(status).toBe(data === bridge.data ? 200 : 401)
  })

  test('[DATA.5] refuses an impossible act with its code, and changes nothing', async () => {
    const data = folder()
    const add = (email: string) => bridgekeeper(['user', 'add', email, '--data', data, '--json'])
    expect((await add('bob@example.com')).code).toBe(0)
    const failures = await Promise.all([
      add('bob@example.com'),
      add('BOB@example.com'),
      add('no address'),
      bridgekeeper(['token', 'issue', 'nobody@example.com', '--data', data, '--json']),
      bridgekeeper(['token', 'issue', 'bob@example.com', '--ttl', '400d', '--data', data, '--json']),
    ])
    expect(failures.map(({ code }) => code)).toEqual([1, 1, 1, 1, 1])
    expect(failures.map(({ stdout }) => JSON.parse(stdout).error.code)).toEqual([
      'user_exists',
      'user_exists',
      'email_invalid',
      'user_unknown',
      'usage',
    ])
    for (const { stdout } of failures) expect(JSON.parse(stdout).error.next).toMatch(/\w/)
  })
})

test('[DATA.6] user suspend, resume and logout reach a running bridge within the cache time', async () => {
  const email = 'eve@example.com'
  const user = (...words: string[]) => bridgekeeper(['user', ...words, email, '--data', bridge.data])
  await user('add')
  const scope = 'tools:list tools:call:memory/*'
  const args = ['token', 'issue', email, '--scope', scope, '--data', bridge.data, '--json']
  const { accessToken } = (await jsonOf(bridgekeeper(args))) as { accessToken: string }
  expect(JSON.parse(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString())).toMatchObject({
    scope,
  })
  const status = async () => (await post(bridge, '/mcp', DISCOVER, bearer(accessToken))).status
  const becomes = (expected: number) =>
    vi.waitFor(async () => expect(await status()).toBe(expected), { timeout: 10_000, interval: 200 })
  await becomes(200)
  expect((await user('suspend')).stdout).toContain(`Suspended ${email}`)
  await becomes(403)
  await user('resume')
  await becomes(200)
  await user('logout')
  await becomes(401)
})

test('[DATA.5] prints a failure to standard error only, without --json', async () => {
  const data = scratch()
  const { code, stdout, stderr } = await bridgekeeper([
    'token',
    'issue',
    'nobody@example.com',
    '--data',
    data,
  ])
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toBe(
    `error: The user nobody@example.com does not exist.\ncode:  user_unknown\nnext:  Add the user: node packages/cli/bin/bridgekeeper.mjs user add --data ${data} nobody@example.com\n`,
  )
})

test('[CLI.9] restricts the data folder and its secret to the owner', async () => {
  const data = join(scratch(), 'new')
  await bridgekeeper(['user', 'add', 'ann@example.com', '--data', data])
  await bridgekeeper(['token', 'issue', 'ann@example.com', '--data', data])
  const mode = (path: string) => (statSync(path).mode & 0o777).toString(8)
  expect(mode(data)).toBe('700')
  expect(mode(join(data, 'jwt-secret'))).toBe('600')
  expect(readFileSync(join(data, 'jwt-secret'), 'utf8')).toMatch(/^[0-9a-f]{64}$/)
  expect(mode(bridge.data)).toBe('700')
  expect(mode(join(bridge.data, 'jwt-secret'))).toBe('600')
})
