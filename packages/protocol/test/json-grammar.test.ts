import { arrayItems, isJson, parseJson, pickMembers } from '@bridgekeeper/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'

/** Pieces that make a text invalid, or nearly so. */
const pieces = fc.constantFrom(
  ...'{}[]:,"\\/ \t\n\r0123456789-+.eEutfnalsr',
  '\u0000',
  '\u001f',
  '\u007f',
  'é',
  '\u{1f600}',
  '\\u00e9',
  '\\u12g4',
  '\\ud800',
  '\\x',
  'true',
  'nul',
  '-0',
  '1e5',
  '1.',
  '.5',
  '01',
  '\v',
  '\ufeff',
)
const anyValue = fc.jsonValue({ maxDepth: 4, stringUnit: 'grapheme' })
const anyKey = fc.string({ unit: 'grapheme' })
const indents = fc.constantFrom(undefined, 1, '\t')
const changes = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 2 }), fc.option(pieces, { nil: '' })), {
  maxLength: 2,
})

/** JSON of a value in any layout, with up to two pieces put in or taken out. */
const changedJson = (value: fc.Arbitrary<unknown>) =>
  fc.tuple(value, indents, changes).map(([made, indent, changed]) => {
    let text = JSON.stringify(made, null, indent)
    for (const [at, gone, put] of changed) {
      const place = at % (text.length + 1)
      text = text.slice(0, place) + put + text.slice(place + gone)
    }
    // Half a character would be another one as bytes.
    return Buffer.from(text)
  })

test('[JSON.8] accepts exactly what JSON.parse accepts, also with a piece inserted or removed', () => {
  let valid = 0
  fc.assert(
    fc.property(changedJson(anyValue), (json) => {
      const expected = parseJson(json.toString('utf8')) !== undefined
      valid += Number(expected)
      expect(isJson(json)).toBe(expected)
    }),
    { numRuns: 20_000 },
  )
  expect(valid).toBeGreaterThan(2_000)
  expect(valid).toBeLessThan(18_000)
})

test('[JSON.8] accepts exactly what JSON.parse accepts of random JSON characters', () => {
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 8 }), (parts) => {
      const json = Buffer.from(parts.join(''))
      expect(isJson(json)).toBe(parseJson(json.toString('utf8')) !== undefined)
    }),
    { numRuns: 20_000 },
  )
})

test('[JSON.8] [JSON.9] finds spans in exactly the objects and arrays that the grammar accepts', () => {
  fc.assert(
    fc.property(changedJson(fc.oneof(fc.dictionary(anyKey, anyValue), fc.array(anyValue))), (json) => {
      const first = json.toString('utf8').trimStart()[0]
      const accepted = isJson(json)
      expect(pickMembers(json, []) !== undefined).toBe(accepted && first === '{')
      const items = arrayItems(json, Number.POSITIVE_INFINITY)
      expect(items !== undefined).toBe(accepted && first === '[')
      for (const [start, end] of items ?? []) expect(isJson(json.subarray(start, end))).toBe(true)
    }),
    { numRuns: 10_000 },
  )
})

/** Brackets of any kinds, that deep. */
const brackets = fc.array(fc.constantFrom('[', '{"a":', '[1,'), {
  minLength: 1,
  maxLength: 200,
})
const closeOf = (open: string) => (open.startsWith('[') ? ']' : '}')

test('[JSON.8] accepts nesting of any kinds and any depth, and refuses a closing bracket of the wrong kind', () => {
  fc.assert(
    fc.property(brackets, fc.nat(), (opened, at) => {
      const closing = opened.map(closeOf).reverse()
      const text = (closers: readonly string[]) => Buffer.from(`${opened.join('')}1${closers.join('')}`)
      expect(isJson(text(closing))).toBe(true)
      expect(isJson(text(closing), opened.length)).toBe(true)
      expect(isJson(text(closing), opened.length - 1)).toBe(false)
      expect(isJson(text(closing.slice(1)))).toBe(false)
      expect(isJson(text([...closing, ']']))).toBe(false)
      const wrong = closing.with(at % closing.length, closing[at % closing.length] === ']' ? '}' : ']')
      expect(isJson(text(wrong))).toBe(false)
    }),
    { numRuns: 2_000 },
  )
})

test('[JSON.8] walks a million levels without using the stack', () => {
  const nested = (levels: number) => Buffer.from('{"a":['.repeat(levels / 2) + ']}'.repeat(levels / 2))
  expect(isJson(nested(1_000_000))).toBe(true)
  expect([isJson(nested(1_000), 1_000), isJson(nested(1_002), 1_000)]).toEqual([true, false])
  expect(isJson(Buffer.from('['.repeat(1_000_000)))).toBe(false)
})

test('[JSON.8] checks long strings like short ones, wherever the odd byte is', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          pieces,
          fc.constantFrom('\\\\', '\\n', '\\"'),
          fc.integer({ min: 1, max: 3_000 }).map((n) => 'x'.repeat(n)),
        ),
        { maxLength: 6 },
      ),
      (parts) => {
        const json = Buffer.from(`["${parts.join('')}"]`)
        expect(isJson(json)).toBe(parseJson(json.toString('utf8')) !== undefined)
      },
    ),
    { numRuns: 10_000 },
  )
})
