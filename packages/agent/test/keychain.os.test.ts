import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { missingDebianCommand } from '../../../scripts/debian.ts'
import { run } from '../../../test/support/program.ts'
import { scratch } from '../../../test/support/scratch.ts'

const FIXTURE = join(import.meta.dirname, 'fixtures/keychain.ts')

const IS_ON_BUS =
  'dbus-send --session --print-reply --dest=org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus.NameHasOwner string:org.freedesktop.secrets'

/** Runs these actions in turn, each in a separate process, with an unlocked Secret Service. */
async function besideSecretService(home: string, actions: readonly string[]): Promise<unknown[]> {
  const node = process.execPath
  const lines = actions.map((action) => `'${node}' '${FIXTURE}' '${home}' auto ${action}`)
  const script = [
    'printf secret | gnome-keyring-daemon --unlock --components=secrets >/dev/null',
    // Waits until it is on the bus; otherwise D-Bus would start another one, locked and without an answer.
    `until ${IS_ON_BUS} | grep -q true; do sleep 0.05; done`,
    ...lines,
  ]
  const { stdout, stderr } = await run('dbus-run-session', ['--', 'sh', '-c', script.join('\n')], {
    HOME: scratch(),
    XDG_RUNTIME_DIR: scratch(),
  })
  const answers = stdout
    .trim()
    .split('\n')
    .map((line): unknown => JSON.parse(line))
  expect(answers, stderr).toHaveLength(actions.length)
  return answers
}

test('[KEYCHAIN.8] stores the private key in the Secret Service, and in no file', async () => {
  const missing =
    missingDebianCommand('gnome-keyring-daemon', 'gnome-keyring') ??
    missingDebianCommand('dbus-run-session', 'dbus')
  if (missing !== undefined) throw new Error(missing)
  const home = join(scratch(), 'home')
  const [made, signed, rotated, again, removed, gone] = await besideSecretService(home, [
    'make',
    'sign',
    'rotate',
    'sign',
    'remove',
    'sign',
  ])
  expect(made).toMatchObject({ keyStore: 'os' })
  expect(made).not.toHaveProperty('privateKey')
  const { keyId } = made as { keyId: string }
  expect(signed).toEqual({ keyId, signed: 64 })
  expect(rotated).toMatchObject({ keyStore: 'os', generation: 2 })
  expect(again).toEqual({ keyId: (rotated as { keyId: string }).keyId, signed: 64 })
  expect([removed, gone]).toEqual([true, null])
})

test('[KEYCHAIN.8] reports a record whose key store is gone, and keeps the record', async () => {
  const home = join(scratch(), 'home')
  await besideSecretService(home, ['make'])
  const folder = join(home, 'bridges')
  const path = join(folder, readdirSync(folder)[0] ?? '')
  const content = readFileSync(path, 'utf8')
  expect(content).not.toContain('"d"')
  // Another login with a new, empty store, as on another machine.
  expect(await besideSecretService(home, ['sign'])).toEqual([{ code: 'device_key_missing' }])
  const { stdout } = await run(process.execPath, [FIXTURE, home, 'auto', 'sign'])
  expect(JSON.parse(stdout)).toEqual({ code: 'key_store_unavailable' })
  expect(readFileSync(path, 'utf8')).toBe(content)
})
