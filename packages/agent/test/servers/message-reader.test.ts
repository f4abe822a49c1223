import { expect, test } from 'vitest'
import { MessageReader } from '../../src/servers/message-reader.ts'

const MAX_BYTES = 1_000
const ONE = '{"jsonrpc":"2.0","id":1,"result":{"a":[1.0]}}'
const TWO = '{"jsonrpc":"2.0","id":2,"result":{"a":"}{"}}'

/** Reads lines; a call waits for a broken text that contains "waits". */
function read(...lines: readonly string[]) {
  const taken: string[] = []
  const amongNoise: string[] = []
  const ignored: string[] = []
  const broken: string[] = []
  const reader = new MessageReader(
    {
      take: (message, members, noise) => {
        if (!members.has('jsonrpc')) return false
        taken.push(String(message))
        if (noise) amongNoise.push(String(message))
        return true
      },
      takeBroken: (text) => {
        if (!text.includes('waits')) return false
        broken.push(String(text))
        return true
      },
      ignored: (text) => ignored.push(String(text)),
    },
    MAX_BYTES,
  )
  for (const line of lines) reader.readLine(Buffer.from(line))
  return { taken, ignored, broken, amongNoise }
}

test('[STDIO.10] skips a byte order mark and blank lines', () => {
  expect(read(`\ufeff${ONE}`, '', ' \r', `${TWO}\r`)).toMatchObject({ taken: [ONE, `${TWO}\r`], ignored: [] })
})

test.each([
  [`Loading 100%${ONE}`, [ONE], ['Loading 100%']],
  [`\u001b[32mready\u001b[0m ${ONE}\u001b[0m`, [ONE], ['\u001b[32mready\u001b[0m ', '\u001b[0m']],
  [`10%\r100%\r${ONE} done`, [ONE], ['10%\r100%\r', ' done']],
  [`${ONE}${TWO}`, [ONE, TWO], []],
  [`${ONE} ${TWO}`, [ONE, ` ${TWO}`], []],
  [`got {a:1} {"b":2}: ${ONE}`, [ONE], ['got {a:1} {"b":2}: ']],
])('[STDIO.10] reads whole messages on a line with other text: %j', (line, taken, ignored) => {
  expect(read(line)).toMatchObject({ taken, ignored, amongNoise: expect.arrayContaining([taken[0]]) })
})

test('[STDIO.10] reads no message from inside an object that is not a message', () => {
  const line = `{"result":NaN,"inner":${ONE}}`
  expect(read(line)).toMatchObject({ taken: [], ignored: [line] })
  expect(read(`{"log":${ONE}}`)).toMatchObject({ taken: [], ignored: [`{"log":${ONE}}`] })
})

test('[STDIO.10] searches a bounded number of places for messages', () => {
  const noise = '{'.repeat(20)
  expect(read(`x ${noise}${ONE}`).taken).toEqual([])
  expect(read(`${'x'.repeat(5_000)}${ONE}`).taken).toEqual([])
})

test('[STDIO.11] reads the messages of an array one by one', () => {
  expect(read(`[${ONE}, ${TWO}]`).taken).toEqual([ONE, TWO])
  expect(read(`[${ONE}, 1, {"waits":1}, "x"]`)).toMatchObject({
    taken: [ONE],
    broken: ['{"waits":1}'],
    ignored: ['1', '"x"'],
  })
  expect(read('[]').ignored).toEqual(['[]'])
})

test.each([
  ['two spaces', JSON.stringify(JSON.parse(ONE), null, 2)],
  ['tabs', JSON.stringify(JSON.parse(TWO), null, '\t')],
  ['an array', JSON.stringify([JSON.parse(ONE)], null, 2)],
  ['the first member beside the brace', '{ "jsonrpc": "2.0",\n  "id": 1,\n  "result": {} }'],
])('[STDIO.11] joins a message printed over several lines: %s', (_what, text) => {
  const { taken, ignored } = read(...text.split('\n'), TWO)
  expect(taken).toHaveLength(2)
  expect(JSON.parse(taken[0] ?? '')).toMatchObject({ jsonrpc: '2.0' })
  expect(ignored).toEqual([])
})

test('[STDIO.11] gives up lines that form no message, and reads the message behind them', () => {
  expect(read('{', '  "a": 1', 'text }} }', ONE)).toMatchObject({
    taken: [ONE],
    ignored: ['{', '  "a": 1', 'text }} }'],
  })
  expect(read('{', ONE)).toMatchObject({ taken: [ONE], ignored: ['{'] })
  expect(read('{', '"cut', ONE)).toMatchObject({ taken: [ONE], ignored: ['{', '"cut'] })
  expect(read('{"jsonrpc":"2.0","id":1,', '"result":NaN,"waits":1}').broken).toHaveLength(1)
  expect(read('{ not the head of a message', ONE)).toMatchObject({
    taken: [ONE],
    ignored: ['{ not the head of a message'],
  })
})

test('[STDIO.11] keeps a bounded number of bytes of lines that form no message', () => {
  const { ignored } = read('[', ...Array(MAX_BYTES).fill('1,'))
  expect(ignored.length).toBeGreaterThan(MAX_BYTES / 3)
})
