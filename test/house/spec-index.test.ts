import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { repository } from './planted.ts'

test('[HOUSE.13] the index in ARCHITECTURE.md names the folder of every rule prefix, and no other', () => {
  const rules = readFileSync(join(repository, 'SPEC.md'), 'utf8')
  const prefixes = new Set([...rules.matchAll(/^\*\*\[([A-Z]+)\.\d+\]\*\*/gm)].map(([, prefix]) => prefix))
  const page = readFileSync(join(repository, 'ARCHITECTURE.md'), 'utf8')
  const index = page.split('## Where a rule lives')[1]?.split('\n## ')[0] ?? ''
  const named = [...index.matchAll(/^\| ([A-Z, ]+) \|/gm)].flatMap(([, row = '']) => row.split(', '))
  expect([...named].sort()).toEqual([...prefixes].sort())
})
