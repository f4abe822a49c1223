import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { repository } from '../support/program.ts'

const page = readFileSync(join(repository, 'docs/interop.md'), 'utf8')
const rows = page.split('\n').filter((line) => line.startsWith('| ') && line.includes('.test.ts`'))

test('[HOUSE.12] finds each rule in the tests that docs/interop.md names beside it', () => {
  expect(rows.length).toBeGreaterThan(30)
  for (const row of rows) {
    const shown = row.split('|').at(-2) ?? ''
    const texts = [...shown.matchAll(/`([^`]+\.test\.ts)`/g)].map(([, path = '']) =>
      readFileSync(join(repository, path), 'utf8'),
    )
    const rules = [...shown.matchAll(/\b([A-Z]{2,}\.\d+)\b/g)].map(([, rule = '']) => rule)
    for (const rule of rules)
      expect(
        texts.some((text) => text.includes(rule)),
        `${rule} in ${shown}`,
      ).toBe(true)
  }
})
