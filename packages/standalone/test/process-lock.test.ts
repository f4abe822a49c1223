import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { run } from '../../../test/support/program.ts'
import { scratch } from '../../../test/support/scratch.ts'
import { isLocked, takeLock } from '../src/adapters/process-lock.ts'

const MODULE = join(import.meta.dirname, '../src/adapters/process-lock.ts')

/** Whether another process can take the lock. */
async function isFree(path: string): Promise<boolean> {
  const script = `import { takeLock } from '${MODULE}'; console.log(takeLock('${path}') !== undefined)`
  return (await run(process.execPath, ['--input-type=module-typescript', '-e', script])).stdout === 'true\n'
}

test('[LOG.10] keeps the lock at a second attempt in the same process', async () => {
  const path = join(scratch(), 'lock')
  const unlock = takeLock(path)
  expect(unlock).toBeTypeOf('function')
  expect(takeLock(path)).toBeUndefined()
  expect(await isFree(path)).toBe(false)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  unlock?.()
  expect(await isFree(path)).toBe(true)
})

test('[CLI.28] sees a held lock without changing it', () => {
  const path = join(scratch(), 'lock')
  expect(isLocked(path)).toBe(false)
  const unlock = takeLock(path)
  expect(isLocked(path)).toBe(true)
  expect(takeLock(path)).toBeUndefined()
  unlock?.()
  expect(isLocked(path)).toBe(false)
})

test('[CLI.28] gives a starting node the lock while another process inspects it', async () => {
  const path = join(scratch(), 'lock')
  takeLock(path)?.()
  const fixture = join(import.meta.dirname, 'fixtures/lock-looker.ts')
  const looker = spawn(process.execPath, [fixture, path, '50'], { stdio: ['ignore', 'pipe', 'ignore'] })
  onTestFinished(() => void looker.kill())
  await once(looker.stdout, 'data')
  const unlock = takeLock(path)
  expect(unlock).toBeDefined()
  unlock?.()
})

test('[LOG.10] rejects a file that is no lock', () => {
  const path = join(scratch(), 'lock')
  writeFileSync(path, 'this is no lock, and long enough to be seen as none'.repeat(30))
  expect(() => isLocked(path)).toThrow()
})
