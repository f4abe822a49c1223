import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { run } from '../support/program.ts'
import { repository } from './planted.ts'

test('[HOUSE.16] the walk of a call in ARCHITECTURE.md names every source file that a traced call passes, in order', async () => {
  const { code, stdout, stderr } = await run(process.execPath, [
    join(import.meta.dirname, 'fixtures/traced-call.ts'),
  ])
  expect([code, stderr]).toEqual([0, ''])
  const page = readFileSync(join(repository, 'ARCHITECTURE.md'), 'utf8')
  const walk = page.split('## A call, there and back')[1]?.split('\n## ')[0] ?? ''
  const [onTheWay = [], shared = []] = walk.split('Used by several steps').map(filesIn)
  const passed = stdout.split('\n')
  expect(onTheWay).toEqual(passed.filter((file) => !shared.includes(file)))
  expect(passed).toEqual(expect.arrayContaining(shared))
})

function filesIn(list: string): string[] {
  return [...list.matchAll(/^- `([^`]+)`/gm)].map(([, file = '']) => file)
}
