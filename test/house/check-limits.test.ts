import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { codes } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { ACCOUNTS } from '../../scripts/limits/accounts.ts'
import { AGENTS } from '../../scripts/limits/agents.ts'
import { CALLS } from '../../scripts/limits/calls.ts'
import { MACHINE } from '../../scripts/limits/machine.ts'
import { SOCKETS } from '../../scripts/limits/sockets.ts'
import { repository, run } from '../support/program.ts'
import { scratch } from '../support/scratch.ts'

const page = join(repository, 'SECURITY.md')
const check = (...args: string[]) =>
  run(process.execPath, [join(repository, 'scripts/check-limits.ts'), ...args])

test('[HOUSE.11] the limits in SECURITY.md match the constants', async () => {
  expect((await check()).code).toBe(0)
})

test('[HOUSE.11] fails on a changed limit, and --fix corrects it', async () => {
  const copy = join(scratch(), 'page.md')
  copyFileSync(page, copy)
  writeFileSync(
    copy,
    readFileSync(page, 'utf8').replace('| calls | body | 64 MiB |', '| calls | body | 2 MiB |'),
  )
  const { code, stdout } = await check(copy)
  expect([code, stdout]).toEqual([1, expect.stringContaining('is stale')])
  expect((await check(copy, '--fix')).code).toBe(0)
  expect(readFileSync(copy, 'utf8')).toBe(readFileSync(page, 'utf8'))
})

test('[HOUSE.11] names only codes of the bridge or of OAuth in the limits', () => {
  const rows = [SOCKETS, CALLS, AGENTS, ACCOUNTS, MACHINE].flat()
  const named = rows.flatMap(([, , , effect]) =>
    [...effect.matchAll(/`(\w+)`/g)].map(([, code = '']) => code),
  )
  const oauth = ['invalid_client_metadata', 'invalid_request']
  expect(named.length).toBeGreaterThan(20)
  expect(named.filter((code) => !Object.hasOwn(codes, code) && !oauth.includes(code))).toEqual([])
})
