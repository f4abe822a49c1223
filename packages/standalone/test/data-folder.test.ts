import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { realSystem, type Tokens } from '@bridgekeeper/bridge'
import { DataFolder, type Environment } from '@bridgekeeper/standalone'
import { expect, onTestFinished, test } from 'vitest'
import { addUser, issueToken, logOutUser, setUserState } from '../../../test/support/operator.ts'
import { scratch } from '../../../test/support/scratch.ts'

const LONG = 'x'.repeat(32)

/** Claims the folder as a starting bridge does. */
const claimed = async (path: string, env?: Environment): Promise<Tokens> => (await open(path, env)).claim()

const folder = (): string => join(scratch(), 'data')

async function open(path: string, env: Environment = {}): Promise<DataFolder> {
  const data = await DataFolder.open(path, env, realSystem())
  onTestFinished(() => data.close())
  return data
}

test.each(['production', 'Production', ' PRODUCTION '])(
  '[SECRET.1] refuses to start without JWT_SECRET with NODE_ENV=%j',
  async (NODE_ENV) => {
    await expect(claimed(folder(), { NODE_ENV })).rejects.toThrow(
      expect.objectContaining({ code: 'secret_missing' }),
    )
    await claimed(folder(), { NODE_ENV, JWT_SECRET: LONG })
  },
)

test('[SECRET.2] refuses a secret under 32 bytes from any source', async () => {
  const path = folder()
  await expect(claimed(path, { JWT_SECRET: 'x'.repeat(31) })).rejects.toThrow(
    expect.objectContaining({ code: 'secret_too_short' }),
  )
  await expect(claimed(path, { JWT_SECRET: '' })).rejects.toThrow(
    expect.objectContaining({ code: 'secret_too_short' }),
  )
  const file = join(path, '..', 'secret')
  writeFileSync(file, 'short\n', { mode: 0o600 })
  await expect(claimed(path, { JWT_SECRET_FILE: file })).rejects.toThrow(
    expect.objectContaining({ code: 'secret_too_short' }),
  )
  await expect(claimed(path, { JWT_SECRET_FILE: `${file}-none` })).rejects.toThrow(
    expect.objectContaining({ code: 'secret_unreadable' }),
  )
  writeFileSync(join(path, 'jwt-secret'), '', { mode: 0o600 })
  await expect(claimed(path)).rejects.toThrow(expect.objectContaining({ code: 'secret_too_short' }))
})

test('[SECRET.3] generates a secret once in development, readable by the owner only', async () => {
  const path = folder()
  const first = await open(path)
  const { accessToken } = await (await first.claim()).issue(await addUser(first, 'ann@example.com'), 60_000)
  const made = readFileSync(join(path, 'jwt-secret'), 'utf8')
  expect(made).toMatch(/^[0-9a-f]{64}$/)
  expect(statSync(join(path, 'jwt-secret')).mode & 0o777).toBe(0o600)
  expect(statSync(path).mode & 0o777).toBe(0o700)
  expect(await (await claimed(path)).authenticate(accessToken)).toMatchObject({ allowed: true })
  expect(readFileSync(join(path, 'jwt-secret'), 'utf8')).toBe(made)
})

test('[DATA.4] reports an unusable data folder, and changes nothing in it', async () => {
  const path = folder()
  mkdirSync(path)
  writeFileSync(join(path, 'bridgekeeper.db'), 'this is no database, but somebody may need it')
  await expect(open(path)).rejects.toThrow(expect.objectContaining({ code: 'data_folder_unusable' }))
  expect(readFileSync(join(path, 'bridgekeeper.db'), 'utf8')).toBe(
    'this is no database, but somebody may need it',
  )
  await expect(open(join(path, 'bridgekeeper.db', 'inside'))).rejects.toThrow(
    expect.objectContaining({ code: 'data_folder_unusable', next: expect.stringContaining('--data') }),
  )
})

test('[DATA.5] refuses invalid users and tokens with a code and the next step', async () => {
  const data = await open(folder())
  await addUser(data, 'ann@example.com')
  await expect(addUser(data, 'ANN@example.com')).rejects.toMatchObject({
    code: 'user_exists',
    next: expect.any(String),
  })
  for (const email of ['', 'ann', 'a b@c', `${'x'.repeat(260)}@x.y`]) {
    await expect(addUser(data, email), email).rejects.toMatchObject({ code: 'email_invalid' })
  }
  await expect(issueToken(data, 'bob@example.com', 1)).rejects.toMatchObject({ code: 'user_unknown' })
})

test('[AUTH.13] applies a suspension or logout in the bridge’s own process at once', async () => {
  const data = await open(folder())
  const tokens = await data.claim()
  const user = await addUser(data, 'ann@example.com')
  const { accessToken } = await tokens.issue(user, 60_000)
  await tokens.authenticate(accessToken)
  await setUserState(data, 'ann@example.com', 'suspended')
  expect(tokens.recall(accessToken)).toBeUndefined()
  expect(await tokens.authenticate(accessToken)).toMatchObject({ code: 'user_suspended' })
  await setUserState(data, 'ANN@example.com', 'active')
  expect(await tokens.authenticate(accessToken)).toMatchObject({ allowed: true })
  await logOutUser(data, 'ann@example.com')
  expect(tokens.recall(accessToken)).toBeUndefined()
  expect(await tokens.authenticate(accessToken)).toMatchObject({ code: 'login_revoked' })
  const again = await issueToken(data, 'ann@example.com', 60_000)
  expect(await tokens.authenticate(again.accessToken)).toMatchObject({ allowed: true })
})

test('[DATA.5] refuses invalid scopes and unknown users with a code', async () => {
  const data = await open(folder())
  await addUser(data, 'ann@example.com')
  for (const scopes of [[], ['tools:lists'], ['tools:list', 'tools:call:memory']]) {
    await expect(issueToken(data, 'ann@example.com', 1, scopes)).rejects.toMatchObject({
      code: 'scope_invalid',
    })
  }
  await expect(setUserState(data, 'bob@example.com', 'suspended')).rejects.toMatchObject({
    code: 'user_unknown',
  })
  await expect(logOutUser(data, 'bob@example.com')).rejects.toMatchObject({ code: 'user_unknown' })
})

test('[SECRET.4] refuses to issue a token with another secret than the folder’s bridge uses', async () => {
  const path = folder()
  const bridge = await open(path, { JWT_SECRET: LONG })
  await addUser(bridge, 'ann@example.com')
  const tokens = await bridge.claim()
  await expect(issueToken(await open(path), 'ann@example.com', 60_000)).rejects.toMatchObject({
    code: 'secret_mismatch',
  })
  const { accessToken } = await issueToken(await open(path, { JWT_SECRET: LONG }), 'ann@example.com', 60_000)
  expect(await tokens.authenticate(accessToken)).toMatchObject({ allowed: true })
  const changed = await claimed(path, { JWT_SECRET: `${LONG}2` })
  expect(await changed.authenticate(accessToken)).toMatchObject({ code: 'token_invalid' })
  await issueToken(await open(path, { JWT_SECRET: `${LONG}2` }), 'ann@example.com', 60_000)
})

test('[DATA.4] keeps the rights of somebody else’s folder, and restricts the database to its owner', async () => {
  const path = folder()
  mkdirSync(path, { mode: 0o755 })
  await open(path)
  expect(statSync(path).mode & 0o777).toBe(0o755)
  expect(statSync(join(path, 'bridgekeeper.db')).mode & 0o777).toBe(0o600)
})
