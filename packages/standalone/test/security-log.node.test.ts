import { mkdirSync, readFileSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { DataFolder } from '@bridgekeeper/standalone'
import { expect, onTestFinished, test } from 'vitest'
import { FakeSystem } from '../../../test/support/fake-system.ts'
import { scratch } from '../../../test/support/scratch.ts'
import { openNodeLog } from '../src/security-log/node-log.ts'

test('[LOG.11] keeps the node when the database cannot be written, and logs its queue once', async () => {
  const path = scratch()
  const system = new FakeSystem()
  const data = await DataFolder.open(path, {}, system)
  onTestFinished(() => data.close())
  const log = openNodeLog({ path, data, system })
  await data.record({ event: 'user_added', userId: 'user_ann' })

  const other = new DatabaseSync(join(path, 'bridgekeeper.db'))
  onTestFinished(() => other.close())
  other.exec('BEGIN IMMEDIATE')
  expect(() => system.advance(1_000)).not.toThrow()
  other.exec('ROLLBACK')
  system.advance(1_000)
  await log.close()
  expect(await data.outbox.after(0)).toEqual([])
  expect(readFileSync(join(path, 'security.log'), 'utf8').match(/user_added/g)).toHaveLength(1)
}, 15_000)

async function dataFolder(): Promise<{ path: string; data: DataFolder; system: FakeSystem }> {
  const path = scratch()
  const system = new FakeSystem()
  const data = await DataFolder.open(path, {}, system)
  onTestFinished(() => data.close())
  return { path, data, system }
}

test('[LOG.10] refuses a second log on a data folder until the first one is closed', async () => {
  const folder = await dataFolder()
  const first = openNodeLog(folder)
  expect(() => openNodeLog(folder)).toThrow(expect.objectContaining({ code: 'data_folder_busy' }))
  await first.close()
  const second = openNodeLog({ ...folder, sinks: [] })
  expect(second.writable).toBe(true)
  await second.close()
})

test('[LOG.10] reports `log_unusable` for a log that cannot be opened, and leaves no lock', async () => {
  const folder = await dataFolder()
  const file = join(folder.path, 'security.log')
  mkdirSync(file, 0o700)
  expect(() => openNodeLog(folder)).toThrow(expect.objectContaining({ code: 'log_unusable' }))
  rmdirSync(file)
  await openNodeLog(folder).close()
})
