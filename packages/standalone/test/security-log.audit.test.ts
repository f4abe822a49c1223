import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DataFolder, verifySecurityLog } from '@bridgekeeper/standalone'
import { expect, test } from 'vitest'
import { FakeSystem } from '../../../test/support/fake-system.ts'
import { scratch } from '../../../test/support/scratch.ts'
import { openNodeLog } from '../src/security-log/node-log.ts'

async function closedLog(): Promise<string> {
  const path = scratch()
  const system = new FakeSystem()
  const data = await DataFolder.open(path, {}, system)
  const log = openNodeLog({ path, data, system })
  log.logSecurityEvent({ event: 'bridge_started', version: '1.0.0' })
  await log.close()
  await data.close()
  return path
}

test('[AUDIT.3] verifies the log of a data folder', async () => {
  expect(verifySecurityLog(await closedLog(), {})).toMatchObject({ intact: true, lines: 1 })
})

test('[AUDIT.2] reports `log_missing` for a folder without a log and for a missing folder', () => {
  const empty = scratch()
  for (const folder of [empty, join(empty, 'missing')]) {
    expect(() => verifySecurityLog(folder, {})).toThrow(expect.objectContaining({ code: 'log_missing' }))
  }
})

test('[AUDIT.2] reports `log_unusable` for an unreadable log', async () => {
  const path = await closedLog()
  mkdirSync(join(path, 'security-1.log'))
  expect(() => verifySecurityLog(path, {})).toThrow(expect.objectContaining({ code: 'log_unusable' }))
})
