import {
  arrayItems,
  isEmptyAt,
  leadingMembers,
  objectEnd,
  objectMembers,
  pickMembers,
  TWICE,
  withoutMembers,
} from '@bridgekeeper/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'

const members = (json: string) => objectMembers(Buffer.from(json))

const PROTOTYPE_KEYS = ['__proto__', 'constructor', 'prototype']

/** Any value that is not refused for a key inside it. */
const anyValue = (maxDepth: number) =>
  fc.jsonValue({ maxDepth }).filter((value) => !JSON.stringify(value).includes('__proto__'))

test('[JSON.1] finds each member as JSON.parse does, for any object in any layout', () => {
  const anyObject = fc.dictionary(
    fc
      .string({ unit: 'grapheme' })
      .filter((key) => JSON.stringify(key) === `"${key}"` && !PROTOTYPE_KEYS.includes(key)),
    anyValue(5),
    { maxKeys: 20 },
  )
  fc.assert(
    fc.property(anyObject, fc.constantFrom(undefined, 1, '\t'), (object, indent) => {
      const json = Buffer.from(JSON.stringify(object, null, indent))
      const found = objectMembers(json)
      const read = [...(found ?? [])].map(([key, [start, end]]) => [
        key,
        JSON.parse(json.toString('utf8', start, end)),
      ])
      expect(read).toEqual(Object.entries(JSON.parse(json.toString('utf8'))))
    }),
    { numRuns: 2_000 },
  )
})

test('[JSON.1] finds members of an object inside a text, whatever follows it', () => {
  const names = ['a', 'b']
  const anyObject = fc.dictionary(fc.constantFrom(...names), anyValue(2))
  const indents = fc.constantFrom(undefined, 1, '\t')
  fc.assert(
    fc.property(anyObject, indents, fc.constantFrom('', ' ', '\n  ', ' }'), (value, indent, after) => {
      const object = JSON.stringify(value, null, indent)
      const start = 7
      const json = Buffer.from(`{"p": ${' '.repeat(start - 6)}${object}${after}}`)
      const end = start + Buffer.byteLength(object)
      const moved = pickMembers(Buffer.from(object), names)?.map((span) => span?.map((at) => at + start))
      expect(moved).toBeDefined()
      expect(pickMembers(json, names, [start, end])).toEqual(moved)
    }),
    { numRuns: 500 },
  )
})

test('[JSON.1] finds long strings with any run of backslashes before a quote', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('\\', '"', 'x'.repeat(40), 'é'), { maxLength: 30 }), (parts) => {
      const value = parts.join('')
      const json = Buffer.from(JSON.stringify({ before: 1, value, after: true }))
      const span = objectMembers(json)?.get('value')
      expect(span && JSON.parse(json.toString('utf8', ...span))).toBe(value)
    }),
    { numRuns: 1_000 },
  )
})

test('[JSON.2] never accepts at the outermost level what JSON.parse refuses, and never throws', () => {
  fc.assert(
    fc.property(fc.string(), fc.nat(), fc.string({ maxLength: 3 }), (tail, at, noise) => {
      const json = JSON.stringify({ a: [1, { b: tail }], c: tail, d: -1.5e3 })
      const cut = at % json.length
      members(json.slice(0, cut) + noise + json.slice(cut))
      members(json.slice(0, cut))
    }),
    { numRuns: 3_000 },
  )
})

test('[JSON.2] accepts exactly the numbers and words of JSON.parse', () => {
  const isJson = (text: string): boolean => {
    try {
      return typeof JSON.parse(text) !== 'object' || text === 'null'
    } catch {
      return false
    }
  }
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: fc.constantFrom(...'0123456789.eE+-'), minLength: 1, maxLength: 8 }),
        fc.constantFrom(
          'true',
          'false',
          'null',
          'tru',
          'True',
          'nul',
          'NaN',
          'Infinity',
          '0',
          '00',
          '-0',
          '10',
        ),
      ),
      (text) => {
        expect(members(`{"a":${text}}`) !== undefined).toBe(isJson(text))
      },
    ),
    { numRuns: 3_000 },
  )
})

test('[JSON.1] distinguishes keys similar to known ones', () => {
  const keys = [
    'type',
    'tyoe',
    'name',
    'args',
    'argz',
    'id',
    'ie',
    'success',
    'jsonrpc',
    'jsonrpd',
    'métho',
    'result',
  ]
  const json = Buffer.from(JSON.stringify(Object.fromEntries(keys.map((key) => [key, key]))))
  expect([...(objectMembers(json) ?? [])].map(([key]) => key)).toEqual(keys)
})

test.each([
  ['nothing', ''],
  ['an array', '[]'],
  ['a string', '"a"'],
  ['two objects', '{} {}'],
  ['bytes after the object', '{"a":1}x'],
  ['a cut object', '{"a":1'],
  ['a cut string', '{"a":"b'],
  ['a trailing comma', '{"a":1,}'],
  ['a missing value', '{"a":}'],
  ['a missing colon', '{"a" 1}'],
  ['a bare word', '{"a":yes}'],
  ['a number with a leading zero', '{"a":01}'],
  ['crossed brackets', '{"a":[{]}}'],
  ['a lone closing bracket inside', '{"a":]}'],
  ['a key twice', '{"a":1,"a":2}'],
  ['a key with an escape', '{"\\u0061":1}'],
  ['a broken literal inside', '{"a":[tru]}'],
  ['NaN inside', '{"a":{"mean":NaN}}'],
  ['a control character inside', '{"a":["\t"]}'],
  ['an escape that does not exist', '{"a":["\\x"]}'],
  [
    'more than 32 members',
    JSON.stringify(Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`k${i}`, i]))),
  ],
])('[JSON.2] refuses %s', (_what, json) => {
  expect(members(json)).toBeUndefined()
})

test('[JSON.2] accepts nesting of any depth inside a member', () => {
  expect(members(`{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`)?.size).toBe(1)
})

test('[JSON.4] takes time in proportion to the bytes, whatever the string holds', () => {
  const lines = Buffer.from(
    JSON.stringify({ text: `${'a line of plain text, '.repeat(4)}\n`.repeat(45_000) }),
  )
  const backslashes = Buffer.from(JSON.stringify({ text: '\\'.repeat(2_000_000) }))
  for (const json of [lines, backslashes]) {
    const parsing = cpuMsOf(() => JSON.parse(json.toString('utf8')))
    // A search from each escape to the end of the string would take hundreds of times as long.
    expect(cpuMsOf(() => objectMembers(json))).toBeLessThan(20 * parsing + 20)
  }
})

function cpuMsOf(run: () => unknown): number {
  const before = process.cpuUsage()
  run()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}

test.each(PROTOTYPE_KEYS)('[JSON.5] refuses the key %s in the outermost object', (key) => {
  expect(members(`{"a":1,"${key}":{}}`)).toBeUndefined()
})

test.each([
  '{"a":{"__proto__":{"x":1}}}',
  '{"a":[{"b":{"__proto__" : 1}}]}',
  '{"a":{"\\u005f_proto__":1,"constructor":{"prototype":2}}}',
])('[JSON.5] passes any key inside a member as its bytes: %s', (json) => {
  const [start, end] = members(json)?.get('a') ?? [0, 0]
  expect(`{"a":${json.slice(start, end)}}`).toBe(json)
})

test('[JSON.6] limits keys by the bytes only', () => {
  const json = `{"a":{${Array.from({ length: 150_000 }, (_, at) => `"${at}":0`).join(',')}}}`
  expect(members(json)?.get('a')).toEqual([5, json.length - 1])
})

test('[JSON.9] finds the items of one array, at most 32', () => {
  const items = (json: string) => arrayItems(Buffer.from(json))?.map(([start, end]) => json.slice(start, end))
  expect(items(' [ {"a":[1]} , 2,"]"] ')).toEqual(['{"a":[1]}', '2', '"]"'])
  expect(items('[]')).toEqual([])
  expect(items(`[${Array(32).fill(1)}]`)).toHaveLength(32)
  for (const bad of [
    '',
    '{}',
    '[1',
    '[1,]',
    '[1 2]',
    '[,]',
    '[NaN]',
    '[] []',
    '[1]x',
    `[${Array(33).fill(1)}]`,
  ])
    expect(items(bad), bad).toBeUndefined()
})

test('[JSON.9] finds the members of a broken object that are whole before it breaks', () => {
  const leading = (json: string) => [...leadingMembers(Buffer.from(json)).keys()]
  expect(leading('{"jsonrpc":"2.0","id":12,"result":{"a":NaN}}')).toEqual(['jsonrpc', 'id'])
  expect(leading('{"id":12,"result":{"a":"cut o')).toEqual(['id'])
  expect(leading('{"a":1,"a":2,"b"')).toEqual(['a'])
  expect(leading('{"a":1')).toEqual([])
  expect(leading('text')).toEqual([])
  const twice = Buffer.from('{"a":1,"a":2,"b"')
  expect(leadingMembers(twice).get('a')).toEqual([5, 6])
})

test('[JSON.9] finds where an object ends, whatever follows it', () => {
  const end = (json: string, at = 0) => objectEnd(Buffer.from(json), at)
  expect(end('{"a":{}} and on')).toBe(8)
  expect(end('x {"a":"}"}{', 2)).toBe(11)
  for (const bad of ['[1]', '1', '', '{"a":1', '{a:1}']) expect(end(bad), bad).toBe(-1)
})

test('[JSON.9] picks members by name, in any spelling, among any number of others', () => {
  const many = Array.from({ length: 100 }, (_, at) => `"k${at}":${at},`).join('')
  const json = Buffer.from(`{${many}"\\u0061":1 ,"b" : [2],"__proto__":3}`)
  const texts = pickMembers(json, ['a', 'b', 'c', '__proto__'])?.map(
    (span) => span && json.toString('utf8', ...span),
  )
  expect(texts).toEqual(['1', '[2]', undefined, '3'])
  expect(pickMembers(Buffer.from('{"a":1,"\\u0061":2,"a":3}'), ['a'])).toEqual([TWICE])
  for (const bad of ['[]', '1', '', '{"a":NaN}', '{"x":[}]}', '{"a":1} 2', `{"x":${'['.repeat(1_000)}`])
    expect(pickMembers(Buffer.from(bad), ['a']), bad).toBeUndefined()
})

test('[JSON.9] leaves members out of an object and keeps the bytes of the others', () => {
  const without = (json: string) => withoutMembers(Buffer.from(json), ['a', 'b'])?.toString()
  expect(without('{ "c" : 1.0, "d":[ ] }')).toBe('{ "c" : 1.0, "d":[ ] }')
  expect(without('{}')).toBe('{}')
  expect(without('{"a":1, "c" : 1.0 ,"b":{"a":2},"d":{"a":[ 3 ]}}')).toBe('{"c" : 1.0,"d":{"a":[ 3 ]}}')
  expect(without('{"\\u0061":1,"c":1,"a":2}')).toBe('{"c":1}')
  expect(without('{"b":1,"a":2}')).toBeUndefined()
})

test('[JSON.9] recognizes an empty value in any spelling', () => {
  const isEmpty = (json: string) => isEmptyAt(Buffer.from(json), [0, json.length])
  expect(isEmptyAt(Buffer.from(''), undefined)).toBe(true)
  for (const empty of ['null', '[]', '[ \n\t]']) expect(isEmpty(empty), empty).toBe(true)
  for (const full of ['{}', '[null]', '0', 'false', '""', '"null"']) expect(isEmpty(full), full).toBe(false)
})
