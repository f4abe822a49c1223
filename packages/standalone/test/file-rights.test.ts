import { chmodSync, chownSync, existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { realSystem } from '@bridgekeeper/bridge'
import { DataFolder, type Environment, serve, serveSettings } from '@bridgekeeper/standalone'
import { describe, expect, onTestFinished, test } from 'vitest'
import { scratch } from '../../../test/support/scratch.ts'

const SECRET = 'x'.repeat(40)
const isRoot = process.geteuid?.() === 0

async function claimed(path: string, env: Environment = {}): Promise<void> {
  const data = await DataFolder.open(path, env, realSystem())
  onTestFinished(() => data.close())
  await data.claim()
}

function planted(path: string, mode: number): string {
  writeFileSync(path, SECRET)
  chmodSync(path, mode)
  return path
}

function dataFolder(): string {
  const path = join(scratch(), 'data')
  mkdirSync(path, { mode: 0o700 })
  return path
}

const unsafe = (path: string, command: string) =>
  expect.objectContaining({
    code: 'rights_unsafe',
    message: expect.stringContaining(path),
    next: expect.stringContaining(command),
  })

describe.skipIf(process.platform === 'win32')('files of a bridge', () => {
  test('[FILE.1] refuses a jwt-secret that others may write or read, and leaves it unchanged', async () => {
    const path = dataFolder()
    const file = planted(join(path, 'jwt-secret'), 0o666)
    await expect(claimed(path)).rejects.toThrow(unsafe(file, `chmod g-w,o= "${file}"`))
    expect(statSync(file).mode & 0o777).toBe(0o666)
    chmodSync(file, 0o600)
    await claimed(path)
  })

  test.runIf(isRoot)('[FILE.1] refuses another user’s jwt-secret', async () => {
    const path = dataFolder()
    const file = planted(join(path, 'jwt-secret'), 0o600)
    chownSync(file, 12_345, 0)
    await expect(claimed(path)).rejects.toThrow(unsafe(file, `chown 0 "${file}"`))
  })

  test('[FILE.1] refuses a jwt-secret that is a link', async () => {
    const path = dataFolder()
    const file = join(path, 'jwt-secret')
    symlinkSync(planted(join(path, '..', 'elsewhere'), 0o600), file)
    await expect(claimed(path)).rejects.toThrow(unsafe(file, `rm "${file}"`))
  })

  test('[FILE.1] checks the file behind a setting’s link', async () => {
    const target = planted(join(scratch(), 'target'), 0o644)
    const JWT_SECRET_FILE = join(scratch(), 'link')
    symlinkSync(target, JWT_SECRET_FILE)
    await expect(claimed(dataFolder(), { JWT_SECRET_FILE })).rejects.toThrow(unsafe(JWT_SECRET_FILE, 'chmod'))
    chmodSync(target, 0o440)
    await claimed(dataFolder(), { JWT_SECRET_FILE })
  })

  test('[FILE.1] refuses a DATABASE_URL_FILE that others may read', async () => {
    const DATABASE_URL_FILE = planted(join(scratch(), 'url'), 0o644)
    await expect(claimed(dataFolder(), { DATABASE_URL_FILE })).rejects.toThrow(
      unsafe(DATABASE_URL_FILE, 'chmod'),
    )
  })

  test('[FILE.1] refuses a provider’s secret that others may read', () => {
    const file = planted(join(scratch(), 'sso'), 0o644)
    const env = {
      BRIDGEKEEPER_SSO_ISSUER: 'https://provider.example',
      BRIDGEKEEPER_SSO_CLIENT_ID: 'id',
      BRIDGEKEEPER_SSO_CLIENT_SECRET_FILE: file,
    }
    expect(() => serveSettings({ flags: {}, env })).toThrow(unsafe(file, 'chmod'))
    chmodSync(file, 0o640)
    expect(serveSettings({ flags: {}, env }).loginProvider).toMatchObject({ clientSecret: SECRET })
  })

  test('[FILE.2] refuses a data folder that every account may write', async () => {
    const path = dataFolder()
    chmodSync(path, 0o777)
    await expect(claimed(path)).rejects.toThrow(unsafe(path, `chmod o-w "${path}"`))
    expect(existsSync(join(path, 'bridgekeeper.db'))).toBe(false)
    chmodSync(path, 0o775)
    await claimed(path)
  })

  test.runIf(isRoot)('[FILE.2] refuses another user’s data folder', async () => {
    const path = dataFolder()
    chownSync(path, 12_345, 0)
    await expect(claimed(path)).rejects.toThrow(unsafe(path, 'chown 0'))
  })

  test.each(['bridgekeeper.db', 'bridgekeeper.db-wal', 'bridgekeeper.db-journal'])(
    '[FILE.2] refuses a database that every account may write: %s',
    async (name) => {
      const path = dataFolder()
      const file = planted(join(path, name), 0o666)
      await expect(claimed(path)).rejects.toThrow(unsafe(file, 'chmod o-w'))
    },
  )

  test.each(['security.log', 'security.log.head'])(
    '[FILE.2] refuses a security log that every account may write: %s',
    async (name) => {
      const path = dataFolder()
      const file = planted(join(path, name), 0o666)
      const settings = serveSettings({ flags: { port: '0', data: path }, env: {} })
      await expect(serve({ settings, env: {}, system: realSystem() })).rejects.toThrow(
        unsafe(file, 'chmod o-w'),
      )
    },
  )

  test('[FILE.4] creates a database readable by its owner only, also in a folder that others may enter', async () => {
    const path = dataFolder()
    chmodSync(path, 0o755)
    await claimed(path)
    const files = ['bridgekeeper.db', 'bridgekeeper.db-wal'].filter((each) => existsSync(join(path, each)))
    expect(files).toContain('bridgekeeper.db')
    for (const name of files) expect(statSync(join(path, name)).mode & 0o777, name).toBe(0o600)
  })
})
