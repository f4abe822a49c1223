import { isBoundedJson, limits, namedMembers, objectMembers } from '@bridgekeeper/protocol'
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

test('[JSON.1] members asked for by name are found as all are, and where there is any other, none is', () => {
  const names = ['id', 'is', 'type']
  const anyMember = fc.tuple(
    fc.constantFrom(...names, 'it', 'types', '', String.raw`i\u0064`, '__proto__'),
    fc.constantFrom('1', '"x"', '{"id":[]}', 'tru', '[', '"'),
  )
  fc.assert(
    fc.property(fc.array(anyMember, { maxLength: 4 }), fc.constantFrom('', ' ', '}'), (given, tail) => {
      const json = Buffer.from(`{${given.map(([key, value]) => `"${key}": ${value}`).join()}}${tail}`)
      const all = objectMembers(json)
      const isOnlyThese = all !== undefined && [...all.keys()].every((key) => names.includes(key))
      const expected = isOnlyThese ? names.map((name) => all.get(name)) : undefined
      expect(namedMembers(json, names)).toEqual(expected)
    }),
    { numRuns: 3_000 },
  )
})

test('[JSON.1] members of an object inside a text are found as if it stood alone, whatever follows it', () => {
  const names = ['a', 'b']
  const anyObject = fc.dictionary(fc.constantFrom(...names), anyValue(2))
  const indents = fc.constantFrom(undefined, 1, '\t')
  fc.assert(
    fc.property(anyObject, indents, fc.constantFrom('', ' ', '\n  ', ' }'), (value, indent, after) => {
      const object = JSON.stringify(value, null, indent)
      const start = 7
      const json = Buffer.from(`{"p": ${' '.repeat(start - 6)}${object}${after}}`)
      const end = start + Buffer.byteLength(object)
      const moved = namedMembers(Buffer.from(object), names)?.map((span) => span?.map((at) => at + start))
      expect(moved).toBeDefined()
      expect(namedMembers(json, names, [start, end])).toEqual(moved)
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

test('[JSON.2] never accepts what JSON.parse refuses at the outermost level, and never throws', () => {
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

test('[JSON.2] takes exactly the numbers and words that JSON.parse takes', () => {
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

test('[JSON.1] keys like our own are told from them', () => {
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
  ['nesting over 64', `{"a":${'['.repeat(65)}${']'.repeat(65)}}`],
  [
    'more than 32 members',
    JSON.stringify(Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`k${i}`, i]))),
  ],
])('[JSON.2] refuses %s', (_what, json) => {
  expect(members(json)).toBeUndefined()
})

test('[JSON.2] takes nesting of 64', () => {
  expect(members(`{"a":${'['.repeat(64)}${']'.repeat(64)}}`)?.size).toBe(1)
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
  '{"a":{"\\u005f_proto__":1}}',
  '{"a":{"_\\u005fproto\\u005F_":1}}',
])('[JSON.5] refuses the key __proto__ at any depth, however it is written: %s', (json) => {
  expect(members(json)).toBeUndefined()
  expect(isBoundedJson(Buffer.from(json))).toBe(false)
})

test('[JSON.5] takes what only looks like it', () => {
  const json = '{"a":{"proto":"__proto__","__proto":1,"__proto___":2,"constructor":3,"_":"\\u005f"}}'
  const [start, end] = members(json)?.get('a') ?? [0, 0]
  expect(JSON.parse(json.slice(start, end))).toEqual(JSON.parse(json).a)
})

test('[JSON.6] refuses more than 65,536 keys, and takes as many', () => {
  const withKeys = (count: number) =>
    `{"a":{${Array.from({ length: count }, (_, at) => `"${at}":0`).join(',')}}}`
  expect(members(withKeys(limits.jsonKeys))).toBeDefined()
  expect(members(withKeys(limits.jsonKeys + 1))).toBeUndefined()
})

test('[JSON.7] bounds hold for any JSON text, and nothing may follow it', () => {
  for (const good of ['{}', ' [1, {"a": []}] ', '"x"', '-1', 'null'])
    expect(isBoundedJson(Buffer.from(good))).toBe(true)
  const deep = '['.repeat(limits.jsonDepth + 1) + ']'.repeat(limits.jsonDepth + 1)
  for (const bad of ['', '{} {}', deep, '[1', '{"a"']) expect(isBoundedJson(Buffer.from(bad))).toBe(false)
})
