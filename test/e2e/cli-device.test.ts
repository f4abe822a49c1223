import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { shapes } from 'bridgekeeper/testing'
import { expect, test } from 'vitest'
import { startApprovingBridge } from '../enrolment/approving-bridge.ts'
import { enrolledMachine } from '../enrolment/machine.ts'
import { bridgekeeper } from '../support/installation.ts'
import { scratch } from '../support/scratch.ts'

/** Each takes a second or more to start. */
const MANY_STARTS_MS = 120_000

const device = (home: string, ...args: string[]) =>
  bridgekeeper(['device', ...args], { BRIDGEKEEPER_HOME: home, BRIDGEKEEPER_KEY_STORE: 'file' })

test('[CLI.17] [CLI.30] device list, rotate and forget show, renew and destroy this machine’s enrolments', {
  timeout: MANY_STARTS_MS,
}, async () => {
  const at = await startApprovingBridge()
  const mine = await enrolledMachine(at)
  const before = await mine.record()
  const listed = await device(mine.home, 'list', '--json')
  const { bridge, deviceId, userId, keyId } = before
  expect(JSON.parse(listed.stdout)).toEqual([
    { bridge, state: 'enrolled', name: 'laptop', keyId, keyStore: 'file', deviceId, userId, generation: 1 },
  ])
  expect(shapes['device list'].safeParse(JSON.parse(listed.stdout)).error).toBeUndefined()
  const rotated = await device(mine.home, 'rotate', at.url, '--json')
  expect(shapes['device rotate'].safeParse(JSON.parse(rotated.stdout)).error).toBeUndefined()
  const after = await mine.record()
  expect(JSON.parse(rotated.stdout)).toEqual({ bridge, keyId: after.keyId, generation: 2 })
  expect((await at.devices.find(deviceId))?.keys[0]?.keyId).toBe(after.keyId)
  expect((await device(mine.home, 'list')).stdout).toMatch(
    /^BRIDGE +NAME +STATE +KEY STORE\n.* laptop +enrolled +file\n$/,
  )

  const forgotten = await device(mine.home, 'forget', at.url)
  expect(forgotten.stdout).toContain(`${at.url}/account`)
  expect(readdirSync(join(mine.home, 'bridges'))).toEqual([])
  const again = await device(mine.home, 'forget', at.url, '--json')
  expect({ code: again.code, error: JSON.parse(again.stdout).error.code }).toEqual({
    code: 1,
    error: 'usage',
  })
  expect((await device(mine.home, 'list')).stdout).toContain('bridgekeeper.mjs connect URL')
  for (const { stdout, stderr } of [listed, rotated, forgotten])
    for (const secret of [before.privateKey?.d, after.privateKey?.d])
      expect(stdout + stderr).not.toContain(secret)
})

test('[CLI.17] lists an unusable enrolment with its reason, and rotation gives the next step', {
  timeout: MANY_STARTS_MS,
}, async () => {
  const at = await startApprovingBridge()
  const mine = await enrolledMachine(at)
  const folder = join(mine.home, 'bridges')
  const path = join(folder, readdirSync(folder)[0] ?? '')
  const content = readFileSync(path, 'utf8')
  chmodSync(path, 0o644)
  const [row] = JSON.parse((await device(mine.home, 'list', '--json')).stdout)
  expect(shapes['device list'].safeParse([row]).error).toBeUndefined()
  expect(row).toMatchObject({ path, error: { code: 'keychain_exposed', next: expect.any(String) } })
  chmodSync(path, 0o600)
  writeFileSync(path, content.slice(0, 100))
  const { code, stderr } = await device(mine.home, 'rotate', at.url)
  expect(code).toBe(1)
  expect(stderr).toMatch(/^error: .+\ncode: {2}keychain_corrupt\nnext: {2}Nothing was changed\..+\n$/)
  expect(readFileSync(path, 'utf8')).toBe(content.slice(0, 100))
  const nowhere = await bridgekeeper(['device', 'rotate', at.url], {
    BRIDGEKEEPER_HOME: join(scratch(), 'none'),
  })
  expect(nowhere.stderr).toContain('not_enrolled')
})
