import { existsSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { realSystem } from '@bridgekeeper/bridge'
import { DataFolder, type Environment, OPERATOR } from '@bridgekeeper/standalone'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { addUser, issueToken, logOutUser } from '../../../test/support/operator.ts'
import { type Postgres, startPostgres } from '../../../test/support/postgres.ts'
import { scratch } from '../../../test/support/scratch.ts'

let postgres: Postgres
beforeAll(async () => {
  postgres = await startPostgres()
})

async function open(env: Environment, path = join(scratch(), 'data')): Promise<DataFolder> {
  const data = await DataFolder.open(path, { JWT_SECRET: 'x'.repeat(32), ...env }, realSystem())
  onTestFinished(() => data.close())
  return data
}

test('[DB.4] shares PostgreSQL between folders by DATABASE_URL or a file that contains it', async () => {
  const DATABASE_URL = await postgres.fresh()
  const DATABASE_URL_FILE = join(scratch(), 'url')
  writeFileSync(DATABASE_URL_FILE, `${DATABASE_URL}\n`, { mode: 0o600 })
  const path = join(scratch(), 'data')
  const [one, other] = [
    await open({ DATABASE_URL }, path),
    await open({ DATABASE_URL_FILE, DATABASE_URL: '' }),
  ]
  const tokens = await one.claim()
  await addUser(one, 'ann@example.com')
  const { accessToken } = await issueToken(other, 'ANN@example.com', 60_000)
  expect(await tokens.authenticate(accessToken)).toMatchObject({ allowed: true })
  await one.operations.blocks.addAddress('203.0.113.7', 60_000, OPERATOR)
  expect(await other.operations.blocks.lift('203.0.113.7', OPERATOR)).toHaveLength(1)
  const events = (await one.outbox.after(0)).map(({ event }) => event.event)
  expect(events).toEqual(['user_added', 'token_issued', 'block_added', 'block_lifted'])
  expect(existsSync(join(path, 'bridgekeeper.db'))).toBe(false)
})

test('[DB.4] publishes a logout at one node to the others, and not to devices', async () => {
  const DATABASE_URL = await postgres.fresh()
  const [one, other] = [await open({ DATABASE_URL }), await open({ DATABASE_URL })]
  const { userId } = await addUser(one, 'ann@example.com')
  const { sessionId } = await issueToken(one, 'ann@example.com', 60_000)
  const { sessions, revocations } = other.stores
  const nowMs = Date.now()
  const times = { createdAtMs: nowMs, seenAtMs: nowMs, expiresAtMs: nowMs + 60_000 }
  await sessions.add({ sessionId: 'machine', userId, kind: 'device', label: 'laptop', ...times })
  const told: string[] = []
  revocations.watch(({ kind, id }) => told.push(`${kind} ${id}`))
  await logOutUser(one, 'ann@example.com')
  await expect.poll(() => told, { timeout: 5_000 }).toEqual([`session ${sessionId}`, `user ${userId}`])
  expect(await sessions.find(sessionId)).toBeUndefined()
  expect(await sessions.find('machine')).toBeDefined()
})

/** Invalid addresses, and the error text of each. */
const BAD: Readonly<Record<string, readonly [(good: URL) => string | Promise<string>, RegExp]>> = {
  'of another kind of database': [
    () => 'mysql://u:hunter2@127.0.0.1/x',
    /must be the address of a PostgreSQL/,
  ],
  'no address at all': [() => 'hunter2', /must be the address of a PostgreSQL/],
  'with a broken escape': [
    () => 'postgres://u:hunter2%ZZ@127.0.0.1:1:1/x',
    /must be the address of a PostgreSQL/,
  ],
  'where nothing listens': [() => 'postgres://u:hunter2@127.0.0.1:1/x', /nothing listens/],
  'of an unknown host': [() => 'postgres://u:hunter2@nowhere.invalid/x', /its host name cannot be resolved/],
  'with a wrong password': [
    (good) => with_(good, { password: 'hunter2' }),
    /refuses the user or the password/,
  ],
  'with a wrong user': [(good) => with_(good, { username: 'mallory' }), /refuses the user or the password/],
  'of a missing database': [(good) => with_(good, { pathname: '/none' }), /no database of that name/],
  'of a server that does not speak PostgreSQL': [() => impostor(), /did not answer/],
  'that requires TLS from a server without it': [
    (good) => with_(good, { search: '?sslmode=verify-full' }),
    /did not answer/,
  ],
}

test.each(Object.entries(BAD))(
  '[DB.3] reports an unusable DATABASE_URL without repeating it: %s',
  async (_, [make, says]) => {
    const good = new URL(await postgres.fresh())
    const DATABASE_URL = await make(good)
    const path = join(scratch(), 'data')
    const refused = await DataFolder.open(path, { DATABASE_URL }, realSystem()).catch(
      (error: unknown) => error,
    )
    expect(refused).toMatchObject({ code: 'database_unusable', next: expect.stringMatching(/\w/) })
    const told = inspect(refused, { depth: 10, showHidden: true })
    expect(told).toMatch(says)
    for (const secret of ['hunter2', 'mallory', postgres.password, good.password, DATABASE_URL]) {
      expect(told).not.toContain(secret)
    }
    expect(existsSync(join(path, 'bridgekeeper.db'))).toBe(false)
  },
)

test('[DB.3] reports an unreadable DATABASE_URL_FILE', async () => {
  await expect(open({ DATABASE_URL_FILE: join(scratch(), 'none') })).rejects.toMatchObject({
    code: 'secret_unreadable',
    message: expect.stringContaining('DATABASE_URL_FILE'),
  })
})

test('[DATA.3] reports a newer database with its own code', async () => {
  const DATABASE_URL = await postgres.fresh()
  await (await open({ DATABASE_URL })).close()
  await postgres.query(
    DATABASE_URL,
    `insert into bridgekeeper_migration values ('9999_x', '2030-01-01T00:00:00Z')`,
  )
  await expect(open({ DATABASE_URL })).rejects.toMatchObject({ code: 'database_newer' })
})

function with_(
  good: URL,
  changed: Partial<Pick<URL, 'username' | 'password' | 'pathname' | 'search'>>,
): string {
  return Object.assign(new URL(good), changed).href
}

/** Listens, and answers as no PostgreSQL does. */
async function impostor(): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const address = server.address()
  return `postgres://u:hunter2@127.0.0.1:${typeof address === 'object' ? address?.port : 0}/x`
}
