import { expect, test } from 'vitest'
import { check, plant, repository } from './planted.ts'

test('[HOUSE.15] passes this repository', async () => {
  expect(await check('check-words.ts', repository)).toMatchObject({ code: 0, stderr: '' })
})

// Apart from the text around them, so that this file passes the check.
const [who, whose, whoever, whatever] = ['Who', 'Whose', 'whoever', 'whatever']

test.each([
  ['a doc comment', 'packages/bridge/src/a.ts', `/** ${who} comes in. */`],
  ['a long doc comment', 'packages/bridge/src/a.ts', `/**\n * [RATE.1] ${whose} call it is.\n */`],
  ['a line comment', 'scripts/a.ts', `const a = 1 // ${whoever} reads it`],
  ['a title', 'test/a.test.ts', `test('[RATE.1] ${whatever} comes', () => {})`],
])('[HOUSE.15] reports %s that opens with a pronoun', async (_, file, text) => {
  const { code, stdout } = await check('check-words.ts', plant({ [file]: `${text}\n` }))
  expect({ code, stdout }).toEqual({ code: 1, stdout: expect.stringContaining('  opening  begins with') })
})

test.each([
  ['a word within a comment', '/** Closes everything whose login ended. */'],
  ['a second line of a line comment', '// Closes it for those\n// who left.'],
  ['text in code', "const text = 'who is there'"],
])('[HOUSE.15] accepts %s', async (_, text) => {
  expect((await check('check-words.ts', plant({ 'scripts/a.ts': `${text}\n` }))).code).toBe(0)
})
