import { createPublicKey, verify } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { thumbprint } from '@bridgekeeper/protocol'
import { describe, expect, test } from 'vitest'
import { Program, run } from '../../../test/support/program.ts'
import { scratch } from '../../../test/support/scratch.ts'
import { deviceKey, makePrivateJwk, privateJwkSchema } from '../src/keychain/device-key.ts'
import { agentHome } from '../src/keychain/home.ts'
import { Keychain } from '../src/keychain/keychain.ts'
import type { EnrolledRecord } from '../src/keychain/record.ts'
import { realSystem } from '../src/system.ts'
import { BRIDGE, enrolledRecord, storedInFile } from './support/records.ts'

function keychainIn(home: string): Keychain {
  return new Keychain({ home, keyStore: 'file', system: realSystem })
}

/** A keychain with one record, and where that is. */
async function withRecord(record: EnrolledRecord = enrolledRecord()) {
  const home = join(scratch(), 'home')
  const keychain = keychainIn(home)
  await keychain.update(record.bridge, () => record)
  const folder = join(home, 'bridges')
  return { home, keychain, record, folder, path: join(folder, readdirSync(folder)[0] ?? '') }
}

const codeOf = (act: Promise<unknown>) =>
  act.then(
    () => 'ok',
    (error: { code: string }) => error.code,
  )
const mode = (path: string) => (statSync(path).mode & 0o777).toString(8)

describe('a device key', () => {
  test.each(['EdDSA', 'ES256'] as const)(
    '[KEYCHAIN.1] %s signs, and its public half verifies',
    (algorithm) => {
      const key = deviceKey(makePrivateJwk(algorithm))
      expect(key.algorithm).toBe(algorithm)
      expect(key.publicJwk).not.toHaveProperty('d')
      expect(thumbprint(key.publicJwk)).toBe(key.keyId)
      const publicKey = createPublicKey({ key: key.publicJwk, format: 'jwk' })
      const signature = key.sign(Buffer.from('hello'))
      const good =
        algorithm === 'EdDSA'
          ? verify(null, Buffer.from('hello'), publicKey, signature)
          : verify('sha256', Buffer.from('hello'), { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)
      expect(good).toBe(true)
      expect(signature.length).toBe(64)
    },
  )

  test('[KEYCHAIN.1] has the thumbprint of RFC 8037', () => {
    const x = '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo'
    expect(thumbprint({ kty: 'OKP', crv: 'Ed25519', x })).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k')
  })

  test.each(['EdDSA', 'ES256'] as const)('[KEYCHAIN.4] %s refuses halves of different keys', (alg) => {
    const [one, other] = [makePrivateJwk(alg), makePrivateJwk(alg)]
    expect(() => deviceKey({ ...one, d: other.d })).toThrow()
  })
})

test('[KEYCHAIN.1] finds a record by its bridge, and forgets it with its key', async () => {
  const { keychain, record, folder } = await withRecord()
  const other = enrolledRecord(storedInFile(), 'https://bridge.example.com:8443')
  await keychain.update(other.bridge, () => other)
  expect(await keychain.find(BRIDGE)).toEqual(record)
  expect(await keychain.find(other.bridge)).toEqual(other)
  expect(await keychain.find('https://elsewhere.example.com')).toBeUndefined()
  expect((await keychain.key(record)).keyId).toBe(record.keyId)
  const sessions = [BRIDGE, other.bridge].map((bridge) => keychain.sessionFile(bridge))
  for (const path of sessions) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, '{}')
  }
  expect(await keychain.remove(BRIDGE)).toBe(true)
  expect(await keychain.remove(BRIDGE)).toBe(false)
  expect(sessions.map((path) => existsSync(path))).toEqual([false, true])
  expect(await keychain.list()).toEqual([other])
  expect(readdirSync(folder)).toHaveLength(1)
})

test('[KEYCHAIN.2] restricts folder and file to the owner, whatever the umask', async () => {
  const before = process.umask(0)
  try {
    const { home, folder, path } = await withRecord()
    expect([home, folder, path].map(mode)).toEqual(['700', '700', '600'])
  } finally {
    process.umask(before)
  }
})

describe('a file that others may access', () => {
  const cases: readonly (readonly [string, (at: { folder: string; path: string; home: string }) => void])[] =
    [
      ['may be read by its group', ({ path }) => chmodSync(path, 0o640)],
      ['may be read by everybody', ({ path }) => chmodSync(path, 0o604)],
      ['may be written by everybody', ({ path }) => chmodSync(path, 0o602)],
      ['is in a folder that others may write', ({ folder }) => chmodSync(folder, 0o770)],
      ['is in a home that others may write', ({ home }) => chmodSync(home, 0o777)],
    ]
  test.each(cases)('[KEYCHAIN.3] is reported and left unchanged if it %s', async (_what, expose) => {
    const at = await withRecord()
    const content = readFileSync(at.path, 'utf8')
    expose(at)
    expect(await codeOf(at.keychain.find(BRIDGE))).toBe('keychain_exposed')
    expect(await codeOf(at.keychain.update(BRIDGE, () => enrolledRecord()))).toBe('keychain_exposed')
    expect(await codeOf(at.keychain.remove(BRIDGE))).toBe('keychain_exposed')
    expect(readFileSync(at.path, 'utf8')).toBe(content)
  })

  test('[KEYCHAIN.3] is reported and left unchanged if it is a link', async () => {
    const { keychain, path, folder } = await withRecord()
    const elsewhere = join(scratch(), 'record')
    copyFileSync(path, elsewhere)
    chmodSync(elsewhere, 0o600)
    await keychain.remove(BRIDGE)
    symlinkSync(elsewhere, path)
    expect(await codeOf(keychain.find(BRIDGE))).toBe('keychain_exposed')
    expect(readdirSync(folder)).toHaveLength(1)
  })
})

describe('an unreadable record', () => {
  const cases: readonly (readonly [string, string, (text: string) => string])[] = [
    ['empty', 'keychain_corrupt', () => ''],
    ['torn in the middle', 'keychain_corrupt', (text) => text.slice(0, text.length / 2)],
    ['of zeros, as after a power cut', 'keychain_corrupt', (text) => '\0'.repeat(text.length)],
    ['of another program', 'keychain_corrupt', () => '{"mcpServers":{}}'],
    ['with an unknown member', 'keychain_corrupt', (text) => text.replace('{', '{"policy":"allow",')],
    ['of another bridge', 'keychain_corrupt', (text) => text.replace(BRIDGE, 'https://evil.example.com')],
    ['without its key', 'keychain_corrupt', (text) => text.replace(/"privateKey": \{[^}]*\},/, '')],
    ['of a newer program', 'keychain_newer', (text) => text.replace('"version": 1', '"version": 2')],
  ]
  test.each(cases)(
    '[KEYCHAIN.4] is reported with its path and left unchanged if it is %s',
    async (_what, code, spoil) => {
      const { keychain, path } = await withRecord()
      const spoilt = spoil(readFileSync(path, 'utf8'))
      writeFileSync(path, spoilt)
      const error = await keychain.find(BRIDGE).catch((reason: unknown) => reason)
      expect(error).toMatchObject({ code, next: expect.stringMatching(/Nothing was changed/) })
      expect(String(error)).toContain(path)
      expect(await codeOf(keychain.update(BRIDGE, () => enrolledRecord()))).toBe(code)
      expect(await codeOf(keychain.remove(BRIDGE))).toBe(code)
      expect(await keychain.list()).toEqual([{ path, problem: expect.objectContaining({ code }) }])
      expect(readFileSync(path, 'utf8')).toBe(spoilt)
    },
  )

  test('[KEYCHAIN.4] is reported if it contains another key than it names', async () => {
    const { keychain, record } = await withRecord()
    const forged = { ...record, privateKey: makePrivateJwk() }
    expect(await codeOf(keychain.key(forged))).toBe('keychain_corrupt')
    expect(privateJwkSchema.safeParse(forged.privateKey).success).toBe(true)
  })

  test('[KEYCHAIN.4] is reported if its file is too large or the home is a file', async () => {
    const { keychain, path } = await withRecord()
    writeFileSync(path, 'x'.repeat(70_000))
    expect(await codeOf(keychain.find(BRIDGE))).toBe('keychain_unusable')
    expect(await codeOf(keychainIn(path).find(BRIDGE))).toBe('keychain_unusable')
  })
})

const FIXTURE = join(import.meta.dirname, 'fixtures/keychain.ts')
const keychainProcess = (home: string, store: string, action: string, count = 1) =>
  run(process.execPath, [FIXTURE, home, store, action, String(count)])

test('[KEYCHAIN.5] loses no change when processes change one record at once', async () => {
  const { home, keychain } = await withRecord()
  const ended = await Promise.all(Array.from({ length: 4 }, () => keychainProcess(home, 'file', 'count', 25)))
  expect(ended.map(({ stdout }) => stdout.trim())).toEqual(Array(4).fill('"done"'))
  expect(await keychain.find(BRIDGE)).toMatchObject({ generation: 101 })
  expect(readdirSync(join(home, 'bridges'))).toHaveLength(1)
})

test('[KEYCHAIN.6] leaves the whole old or new record when a process is killed at any moment', async () => {
  const { home, keychain, folder } = await withRecord()
  for (let round = 0; round < 6; round++) {
    const { generation } = (await keychain.find(BRIDGE)) as EnrolledRecord
    const program = new Program(process.execPath, [FIXTURE, home, 'file', 'count', '100000'])
    while (((await keychain.find(BRIDGE)) as EnrolledRecord).generation < generation + 3 + round) {}
    program.signal('SIGKILL')
    await program.ended
    expect(await keychain.find(BRIDGE)).toMatchObject({ state: 'enrolled', bridge: BRIDGE })
    await keychain.update(BRIDGE, (record) => ({ ...(record as EnrolledRecord), previous: `round ${round}` }))
  }
  for (const name of readdirSync(folder).filter((name) => name.endsWith('.tmp')))
    utimesSync(join(folder, name), new Date(0), new Date(0))
  await keychain.find(BRIDGE)
  expect(readdirSync(folder)).toHaveLength(1)
})

describe('the keychain’s folder', () => {
  test.each([
    ['linux', { XDG_CONFIG_HOME: '/cfg' }, '/cfg/bridgekeeper'],
    ['linux', { XDG_CONFIG_HOME: 'relative' }, /^\/.+\/\.config\/bridgekeeper$/],
    ['linux', { BRIDGEKEEPER_HOME: '/mine', XDG_CONFIG_HOME: '/cfg' }, '/mine'],
    ['darwin', {}, /\/Library\/Application Support\/bridgekeeper$/],
    ['win32', { APPDATA: '/roaming' }, '/roaming/bridgekeeper'],
  ] as const)('[KEYCHAIN.7] is chosen on %s with %o', (platform, env, expected) => {
    const found = agentHome(env, platform)
    if (typeof expected === 'string') expect(found).toBe(expected)
    else expect(found).toMatch(expected)
  })
})

test('[KEYCHAIN.7] keeps a key in a file without a key store of the system, unless configured otherwise', async () => {
  const home = join(scratch(), 'home')
  mkdirSync(home, { mode: 0o700 })
  const auto = JSON.parse((await keychainProcess(home, 'auto', 'make')).stdout)
  expect(auto).toMatchObject({ keyStore: 'file', privateKey: { kty: 'OKP' } })
  const os = JSON.parse((await keychainProcess(join(scratch(), 'other'), 'os', 'make')).stdout)
  expect(os).toEqual({ code: 'key_store_unavailable' })
})
