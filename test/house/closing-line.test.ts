import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { plant, repository, runNode, transplant } from './planted.ts'

/** Runs planted tests the way `npm test` runs the real ones. */
async function lastLine(files: Record<string, string>): Promise<{ code: number; line: string | undefined }> {
  const root = plant(files)
  transplant(root, 'vitest.config.ts', 'scripts', 'test/support')
  symlinkSync(join(repository, 'node_modules'), join(root, 'node_modules'), 'junction')
  const vitest = join(repository, 'node_modules/vitest/vitest.mjs')
  const { code, stdout } = await runNode([vitest, 'run', '--root', root])
  return { code, line: stdout.trimEnd().split('\n').at(-1) }
}

const head = `import { beforeAll, describe, expect, test } from 'vitest'\n`

test('[HOUSE.9] counts passed and skipped tests in the last line', async () => {
  const files = { 'test/a.test.ts': `${head}test('a', () => {})\ntest('b', () => {})\ntest.skip('c')\n` }
  expect(await lastLine(files)).toEqual({ code: 0, line: '2 passed, 0 failed, 1 skipped' })
})

test('[HOUSE.9] counts a failed test, a broken file, a broken hook and a stray rejection as failed', async () => {
  const files = {
    'test/failed.test.ts': `${head}test('a', () => expect(1).toBe(2))\ntest('b', () => {})\n`,
    'test/broken.test.ts': `${head}throw new Error('broken')\n`,
    'test/hook.test.ts': `${head}describe('x', () => {\n  beforeAll(() => { throw new Error('hook') })\n  test('c', () => {})\n})\n`,
    'test/stray.test.ts': `${head}test('d', () => void Promise.reject(new Error('stray')))\n`,
  }
  expect(await lastLine(files)).toEqual({ code: 1, line: expect.stringMatching(/^2 passed, 4 failed/) })
})

test('[HOUSE.9] fails a run without tests, and reports that nothing passed', async () => {
  expect(await lastLine({})).toEqual({ code: 1, line: '0 passed, 0 failed' })
})
