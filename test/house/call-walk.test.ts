import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { run } from '../support/program.ts'
import { repository } from './planted.ts'

/** Files that a reader must know to follow a call. */
const MAX_CARRYING = 30

test('[HOUSE.16] the walk of a call in ARCHITECTURE.md names every source file that a traced call passes, in order; at most 30 carry it', async () => {
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

  const carrying = [...walk.matchAll(/^- \*\*`/gm)].length
  expect(walk).toContain(`The ${carrying} files in **bold** carry the call`)
  expect(carrying).toBeLessThanOrEqual(MAX_CARRYING)
})

function filesIn(list: string): string[] {
  return [...list.matchAll(/^- (?:\*\*)?`([^`]+)`/gm)].map(([, file = '']) => file)
}
