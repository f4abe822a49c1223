import { statSync } from 'node:fs'
import { join } from 'node:path'
import { takeLock } from '@bridgekeeper/standalone/testing'
import { expect, test } from 'vitest'
import { run } from '../../../test/support/program.ts'
import { scratch } from '../../../test/support/scratch.ts'

const MODULE = join(import.meta.dirname, '../src/adapters/process-lock.ts')

/** Whether another process can take the lock. */
async function isFree(path: string): Promise<boolean> {
  const script = `import { takeLock } from '${MODULE}'; console.log(takeLock('${path}') !== undefined)`
  return (await run(process.execPath, ['--input-type=module-typescript', '-e', script])).stdout === 'true\n'
}

test('[LOG.10] a second attempt in the same process does not give the lock away', async () => {
  const path = join(scratch(), 'lock')
  const unlock = takeLock(path)
  expect(unlock).toBeTypeOf('function')
  expect(takeLock(path)).toBeUndefined()
  expect(await isFree(path)).toBe(false)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  unlock?.()
  expect(await isFree(path)).toBe(true)
})
