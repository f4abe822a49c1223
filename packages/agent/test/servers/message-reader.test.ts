import { afterEach, expect, test } from 'vitest'
import { HeldBytes, MAX_HELD_BYTES } from '../../src/held-bytes.ts'
import type { LongLine } from '../../src/servers/lines.ts'
import { MessageReader } from '../../src/servers/message-reader.ts'

const MAX_BYTES = 1_000
const ONE = '{"jsonrpc":"2.0","id":1,"result":{"a":[1.0]}}'
const TWO = '{"jsonrpc":"2.0","id":2,"result":{"a":"}{"}}'

const held = new HeldBytes()

afterEach(() => expect(held.bytes).toBe(0))

/** Reads lines; a call waits for a broken text that contains "waits". */
function read(...lines: readonly string[]) {
  const taken: string[] = []
  const amongNoise: string[] = []
  const ignored: string[] = []
  const broken: string[] = []
  const long: LongLine[] = []
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
      takeLong: (line) => long.push(line),
      ignored: (text) => ignored.push(String(text)),
    },
    MAX_BYTES,
    held,
  )
  for (const line of lines) reader.readLine(Buffer.from(line))
  return { reader, taken, ignored, broken, amongNoise, long }
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

test('[STDIO.1] ignores JSON that is not a message, even if a call of its id waits', () => {
  const log = '{"level":30,"id":1,"msg":"waits"}'
  expect(read(log, ONE)).toMatchObject({ taken: [ONE], broken: [], ignored: [log] })
  const lines = ['{', '  "id": 1,', '  "msg": "waits"', '}']
  expect(read(...lines, ONE)).toMatchObject({ taken: [ONE], broken: [], ignored: lines })
})

test('[STDIO.10] hides the lines after a torn answer, until the next message', () => {
  const torn = '{"jsonrpc":"2.0","id":1,"result":{"waits":"first line'
  const { taken, broken, ignored } = read('log 1', torn, 'second line', 'third"}}', ONE, 'log 2')
  expect([taken, broken, ignored]).toEqual([[ONE], [torn], ['log 1', '', '', 'log 2']])
  const whole = '{"jsonrpc":"2.0","id":1,"result":{"waits":NaN}}'
  expect(read(whole, 'log').ignored).toEqual(['log'])
})

test('[STDIO.10] searches a bounded number of places for messages', () => {
  const unusual = '{ "jsonrpc":"2.0","id":1,"result":{} }'
  expect(read(`x ${'{'.repeat(20)}${unusual}`).taken).toEqual([])
  expect(read(`${'x'.repeat(5_000)}${unusual}`).taken).toEqual([])
  expect(read(`x ${'{"jsonrpc"'.repeat(40)}${ONE}`).taken).toEqual([])
})

test.each([
  ['a long progress bar', `\r${'#'.repeat(60)} 1%`.repeat(100)],
  ['braces', 'x { { { {'.repeat(20)],
  ['more than a mebibyte', `${'.'.repeat(1_200_000)}{`],
])('[STDIO.10] reads the usual form of a message behind %s', (_what, noise) => {
  expect(read(`${noise}${ONE}${TWO}`)).toMatchObject({ taken: [ONE, TWO], ignored: [noise] })
})

test('[STDIO.11] reads the messages of an array one by one', () => {
  expect(read(`[${ONE}, ${TWO}]`).taken).toEqual([ONE, TWO])
  expect(read(`[${ONE}, 1, {"id":1,"id":2,"waits":1}, {"waits":1}, "x"]`)).toMatchObject({
    taken: [ONE],
    broken: ['{"id":1,"id":2,"waits":1}'],
    ignored: ['1', '{"waits":1}', '"x"'],
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

test.each([
  [ONE, [ONE]],
  [`${ONE}${TWO}`, [ONE, TWO]],
  [` ${ONE} `, [` ${ONE} `]],
])('[STDIO.12] reads whole messages without a newline: %j', (text, taken) => {
  const read1 = read()
  expect(read1.reader.readUnfinished(Buffer.from(text))).toBe(true)
  expect(read1.taken).toEqual(taken)
})

test.each([ONE.slice(0, -1), `${ONE}{`, `${ONE}x`, '{"a":1}', 'x}', `{"log":${ONE}}`])(
  '[STDIO.12] does not read other text without a newline: %j',
  (text) => {
    const { reader, taken, ignored, broken } = read()
    expect(reader.readUnfinished(Buffer.from(text))).toBe(false)
    expect([taken, ignored, broken]).toEqual([[], [], []])
  },
)

test('[STDIO.12] reads the end of a message over several lines without a newline', () => {
  const lines = JSON.stringify(JSON.parse(ONE), null, 2).split('\n')
  const { reader, taken } = read(...lines.slice(0, -2))
  for (const line of lines.slice(-2, -1)) {
    expect(reader.readUnfinished(Buffer.from(line))).toBe(false)
    reader.readLine(Buffer.from(line))
  }
  expect(reader.readUnfinished(Buffer.from(lines.at(-1) ?? ''))).toBe(true)
  expect(taken.map((text) => JSON.parse(text))).toEqual([JSON.parse(ONE)])
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

const pretty = (rows: number) =>
  JSON.stringify({ jsonrpc: '2.0', id: 7, result: { rows: Array(rows).fill(ONE) } }, null, 1).split('\n')

test('[STDIO.11] [BIG.6] skips a message over several lines that is too long, to its end, and takes nothing from inside', () => {
  const inside = JSON.parse(ONE)
  const text = JSON.stringify({ jsonrpc: '2.0', id: 7, result: { rows: Array(40).fill(inside) } }, null, 1)
  const { taken, ignored, long } = read(...text.split('\n'), TWO)
  expect([taken, ignored]).toEqual([[TWO], []])
  expect(long).toMatchObject([{ bytes: text.length, isTooLong: true }])
  expect(String(long[0]?.head)).toBe(`${text.slice(0, long[0]?.head.length)}`)
  expect(text.endsWith(String(long[0]?.tail).trimEnd())).toBe(true)
})

test('[STDIO.11] [BIG.6] skips a message over several lines for which there is no memory', () => {
  held.take(MAX_HELD_BYTES)
  const { taken, long } = read(...pretty(3), TWO)
  held.give(MAX_HELD_BYTES)
  expect(taken).toEqual([TWO])
  expect(long).toMatchObject([{ isTooLong: false }])
})

test('[STDIO.11] holds no bytes of a block whose output has ended', () => {
  const { reader } = read(...pretty(3).slice(0, -1))
  expect(held.bytes).toBeGreaterThan(0)
  reader.end()
})

test.each([
  [
    'any other members',
    `{"__proto__":1,"constructor":{},${Array.from({ length: 100 }, (_, at) => `"k${at}":0,`).join('')}"jsonrpc":"2.0","id":1,"result":{}}`,
  ],
  ['members in any spelling', '{"json\\u0072pc":"2.0","\\u0069d":1,"result":{}}'],
  ['any nesting', `{"jsonrpc":"2.0","id":1,"result":${'['.repeat(5_000)}${']'.repeat(5_000)}}`],
])('[STDIO.10] reads a message with %s', (_what, line) => {
  expect(read(line).taken).toEqual([line])
})

test('[STDIO.10] reads no message that has a member twice', () => {
  expect(read('{"jsonrpc":"2.0","id":1,"id":2,"result":{"waits":1}}')).toMatchObject({
    taken: [],
    broken: [expect.stringContaining('waits')],
  })
})

test('[STDIO.10] searches exactly as many places as its limits say', () => {
  const unusual = '{ "jsonrpc":"2.0","id":1,"result":{} }'
  const isFound = (line: string) => read(line).taken.length > 0
  // Bytes into the line.
  expect([4_095, 4_096].map((bytes) => isFound('x'.repeat(bytes) + unusual))).toEqual([true, false])
  // Attempts at any object, and at the usual beginning.
  expect([15, 16].map((count) => isFound(`x ${'{'.repeat(count)}${unusual}`))).toEqual([true, false])
  expect([31, 32].map((count) => isFound(`x ${'{"jsonrpc"'.repeat(count)}${ONE}`))).toEqual([true, false])
  // Bytes of a line that counts as blank.
  expect([128, 129].map((bytes) => read(' '.repeat(bytes)).ignored.length)).toEqual([0, 1])
})

test('[STDIO.11] joins the lines of a message up to the maximum, and skips one with a byte more', () => {
  const lines = (bytes: number) => {
    const head = '"jsonrpc":"2.0","id":1,"result":{"x":"'
    return ['{', `${head.padEnd(bytes - 6, 'x')}"}`, '}']
  }
  const whole = lines(MAX_BYTES)
  expect(whole.join('\n')).toHaveLength(MAX_BYTES)
  expect(read(...whole)).toMatchObject({ taken: [`${whole.join('\n')}\n`], long: [] })
  expect(read(...lines(MAX_BYTES + 1))).toMatchObject({
    ...{ taken: [], long: [{ bytes: MAX_BYTES + 1, isTooLong: true }] },
  })
})
