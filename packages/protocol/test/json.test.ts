import { canonicalJson, cleanText } from '@bridgekeeper/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'

test('[JSON.3] gives equal values equal canonical text, whatever the order of their keys', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const shuffled = reversedKeys(JSON.parse(JSON.stringify(value)))
      expect(canonicalJson(shuffled)).toBe(canonicalJson(JSON.parse(JSON.stringify(value))))
      expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)))
    }),
  )
})

test('[JSON.3] orders keys by code units, digits too, and keeps a __proto__ key', () => {
  expect(canonicalJson(JSON.parse('{"b":1,"10":1,"9":1,"__proto__":{"x":1},"a":[{"d":1,"c":2}]}'))).toBe(
    '{"10":1,"9":1,"__proto__":{"x":1},"a":[{"c":2,"d":1}],"b":1}',
  )
})

test('[TEXT.1] removes control, bidi and zero-width characters from a peer’s text, and cuts it', () => {
  expect(cleanText('a\u001b[31mb\nc\u202ed\u200be')).toBe('a [31mb c d e')
  expect(cleanText('x'.repeat(5_000))).toHaveLength(2_048)
})

function reversedKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversedKeys)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).reverse()
  return Object.fromEntries(entries.map(([key, inner]) => [key, reversedKeys(inner)]))
}
