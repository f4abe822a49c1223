import { expect, test } from 'vitest'
import { check, plant, repository } from './planted.ts'

test('[HOUSE.15] passes this repository', async () => {
  expect(await check('check-words.ts', repository)).toMatchObject({ code: 0, stderr: '' })
})

test.each([
  ['a doc comment', 'packages/bridge/src/a.ts:1', '/** Who comes in. */'],
  ['a long doc comment', 'packages/bridge/src/a.ts:2', '/**\n * [RATE.1] Whose call it is.\n */'],
  ['a line comment', 'scripts/a.ts:1', 'const a = 1 // whoever reads it'],
  ['a comment with a relative clause', 'bench/a.ts:1', '// What the bridge answered.'],
  ['a comment with a place', 'packages/cli/src/a.ts:1', '/** [CLI.1] Where a key is kept. */'],
  ['a comment about one of many', 'test/support/a.ts:1', '/** One key that was replaced. */'],
  ['a title', 'test/a.test.ts:1', "test('[RATE.1] whatever comes', () => {})"],
  ['a title behind a table', 'test/a.test.ts:3', "test.each([\n  1,\n])('[RATE.1] whose %s', () => {})"],
])('[HOUSE.15] refuses the opening of %s', async (_, place, text) => {
  expect(await findingsIn(place, text)).toContain(`${place}  opening  begins with`)
})

test.each([
  ['a comment', 'packages/agent/src/a.ts:1', '// Closes it for whomever it was.', 'whomever'],
  ['a comment, over two lines', 'scripts/a.ts:1', '/* It is put\n * down first. */', 'put down'],
  ['a line comment, over two lines', 'scripts/a.ts:1', '// A key that is\n// none of ours.', 'is none'],
  ['a title', 'test/a.test.ts:1', "describe('[RATE.1] counts anew', () => {})", 'anew'],
  ['a message', 'packages/cli/src/a.ts:1', "const text = 'Log in anew.'", 'anew'],
  ['a message with a value', 'packages/cli/src/a.ts:1', 'const text = `$' + '{1} and whoever`', 'whoever'],
  ['a page', 'docs/a.md:3', '# A\n\nIt ends in the turn\nin which it began.', 'in the turn in which'],
  ['a heading', 'README.md:1', '# Options that are none', 'are none'],
])('[HOUSE.15] refuses a phrase to avoid in %s', async (_, place, text, phrase) => {
  expect(await findingsIn(place, text)).toContain(`${place}  phrase  "${phrase}": write `)
})

test.each([
  ['a word within a comment', 'scripts/a.ts', '/** Closes everything whose login ended. */'],
  ['a second line of a line comment', 'scripts/a.ts', '// Closes it for those\n// who left.'],
  ['a number', 'scripts/a.ts', '// One to four characters.'],
  ['an absence', 'scripts/a.ts', '/** The key; `undefined` if there is none. */'],
  ['text in code that is not a message', 'scripts/a.ts', "const text = 'whoever is there // who'"],
  ['code in a page', 'docs/a.md', 'Never `whoever`.\n\n```\nanew\n```\n'],
])('[HOUSE.15] accepts %s', async (_, file, text) => {
  expect(await check('check-words.ts', plant({ [file]: `${text}\n` }))).toMatchObject({ code: 0, stderr: '' })
})

/** @param place path and line of the finding */
async function findingsIn(place: string, text: string): Promise<string> {
  const file = place.replace(/:\d+$/, '')
  const { code, stdout } = await check('check-words.ts', plant({ [file]: `${text}\n` }))
  expect(code).toBe(1)
  return stdout
}
