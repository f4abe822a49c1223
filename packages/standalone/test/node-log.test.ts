import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { DataFolder } from '@bridgekeeper/standalone'
import { expect, onTestFinished, test } from 'vitest'
import { FakeSystem } from '../../../test/support/fake-system.ts'
import { scratch } from '../../../test/support/scratch.ts'
import { openNodeLog } from '../src/security-log/node-log.ts'

test('[LOG.11] a database that cannot be written ends no node; what waits in it is logged once', async () => {
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
