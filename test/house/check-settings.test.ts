import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { repository, run } from '../support/program.ts'
import { scratch } from '../support/scratch.ts'

const page = join(repository, 'docs/operators.md')
const check = (...args: string[]) =>
  run(process.execPath, [join(repository, 'scripts/check-settings.ts'), ...args])

test('[HOUSE.14] the settings in docs/operators.md match the declared ones', async () => {
  expect((await check()).code).toBe(0)
})

test('[HOUSE.14] fails on a changed default, and --fix corrects it', async () => {
  const copy = join(scratch(), 'page.md')
  copyFileSync(page, copy)
  writeFileSync(copy, readFileSync(page, 'utf8').replace('| `8787` |', '| `8788` |'))
  const { code, stdout } = await check(copy)
  expect([code, stdout]).toEqual([1, expect.stringContaining('is stale')])
  expect((await check(copy, '--fix')).code).toBe(0)
  expect(readFileSync(copy, 'utf8')).toBe(readFileSync(page, 'utf8'))
})
