import { expect, test } from 'vitest'
import { withMembers, without } from '../../src/eras/members.ts'

const json = (text: string) => Buffer.from(text)

test.each([
  [undefined, '{"a":1}'],
  ['{}', '{"a":1}'],
  ['{ }', '{"a":1}'],
  ['{"a":0}', '{"a":1}'],
  ['{"b": 1.50, "a":0}', '{"b": 1.50,"a":1}'],
  ['[1]', '{"a":1}'],
  ['7', '{"a":1}'],
])('[ERA.1] writes a member into %s and keeps the other bytes', (object, expected) => {
  expect(withMembers(object === undefined ? undefined : json(object), { a: json('1') }).toString()).toBe(
    expected,
  )
})

test('[ERA.1] removes members', () => {
  expect(without(json('{"a":1}'), ['a']).toString()).toBe('{}')
  expect(withMembers(json('{"a":1,"b":2}'), { a: undefined }).toString()).toBe('{"b":2}')
})
