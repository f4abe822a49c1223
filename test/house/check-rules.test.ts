import { expect, test } from 'vitest'
import { check, plant, repository } from './planted.ts'

// Not written out in the planted titles below, or this file would seem to cite these rules itself.
const [one, two, three] = ['[RATE.1]', '[RATE.2]', '[RATE.3]']

const clean = {
  'SPEC.md': `# Rules\n\n**${one}** a limit\n- **${two}** a block\n\nText may speak of **${three}** freely.\n`,
  'test/rate.test.ts': `test('${one} refuses', () => {})\n`,
  'packages/bridge/test/block.ts': `export const suite = () => it.each([\n  [1],\n])(\n  "${one} ${two} blocks %s",\n)\n`,
}

const passed = { code: 0, stderr: '', stdout: expect.stringMatching(/^rules: \d+, /) }

test('[HOUSE.4] passes a tree with a test for each rule', async () => {
  expect(await check('check-rules.ts', plant(clean))).toEqual(passed)
})

test('[HOUSE.4] finds a test for each rule of this repository', async () => {
  expect(await check('check-rules.ts', repository)).toEqual(passed)
})

const uncovered = `SPEC.md:4  uncovered  no test that runs cites ${two} in its title`

test.each([
  ['a rule that no test cites', 'packages/bridge/test/block.ts', '', uncovered],
  ['a citation in a comment', 'packages/bridge/test/block.ts', `// test('${two} blocks')\n`, uncovered],
  [
    'a citation in a skipped test',
    'packages/bridge/test/block.ts',
    `test.skip('${two} blocks')\n`,
    uncovered,
  ],
  [
    'a citation in a test to be written',
    'packages/bridge/test/block.ts',
    `it.todo('${two} blocks')\n`,
    uncovered,
  ],
  ['a citation outside the test folders', 'bench/main.ts', `test('${three} is fast')\n`, undefined],
  [
    'a cited rule that does not exist',
    'test/more.test.ts',
    `\ndescribe('${three} x')\n`,
    `test/more.test.ts:2  unknown  ${three} is not defined in SPEC.md`,
  ],
  [
    'a rule defined twice',
    'SPEC.md',
    `${clean['SPEC.md']}**${one}** again\n`,
    `SPEC.md:7  repeated  ${one} is defined more than once`,
  ],
  ['a SPEC.md without a rule', 'SPEC.md', '# Rules\n', 'SPEC.md:1  empty  there is no rule to check'],
])('[HOUSE.4] judges %s', async (_, path, text, finding) => {
  const { code, stdout } = await check('check-rules.ts', plant({ ...clean, [path]: text }))
  expect(code).toBe(finding === undefined ? 0 : 1)
  if (finding !== undefined) expect(stdout.split('\n')).toContain(finding)
})
