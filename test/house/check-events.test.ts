import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { repository, run } from '../support/program.ts'
import { scratch } from '../support/scratch.ts'

const page = join(repository, 'docs/security-events.md')
const check = (...args: string[]) =>
  run(process.execPath, [join(repository, 'scripts/check-events.ts'), ...args])

test('[HOUSE.10] the page of events matches the table of events', async () => {
  expect((await check()).code).toBe(0)
})

test('[HOUSE.10] fails on a stale page or one without marks, and --fix regenerates it', async () => {
  const copy = join(scratch(), 'page.md')
  copyFileSync(page, copy)
  writeFileSync(copy, readFileSync(page, 'utf8').replace('`user_added`', '`user_gone`'))
  const { code, stdout } = await check(copy)
  expect([code, stdout]).toEqual([1, expect.stringContaining('is stale')])
  expect((await check(copy, '--fix')).code).toBe(0)
  expect(readFileSync(copy, 'utf8')).toBe(readFileSync(page, 'utf8'))
  writeFileSync(copy, 'nothing')
  expect((await check(copy, '--fix')).code).toBe(1)
})
