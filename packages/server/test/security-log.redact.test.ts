import { expect, test } from 'vitest'
import { jsonText, type TextKind } from '../src/security-log/redact.ts'

const text = (value: unknown, kind: TextKind = 'text'): unknown => JSON.parse(jsonText(kind, value))

/** Long runs that look random: more changes of the kind of character than words have. */
test.each([
  [
    'capitals and small letters without a digit, 40 of them',
    'aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgHiJkLmN',
    true,
  ],
  ['the same, 39 of them', 'aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgHiJkLm', false],
  ['the same, 24 of them with a digit', 'aBcDeFgHiJkLmNoPqRsTuVw9', true],
  ['the same, 23 of them with a digit', 'aBcDeFgHiJkLmNoPqRsTuV9', false],
  ['signs between, in small letters alone', 'a-b-c-d-e-f-g-h-i-j-k-l-m-n-o-p', false],
  ['signs between', 'a-B-c-D-e-F-g-H-i-J-k-L-m-N-9', true],
  ['two changes of five', 'abcDE6abcDE6abcDE6abcDE6abcDE6', true],
  ['long words in camelCase', 'getUserProfileFromDatabaseByEmailAddress2', false],
  ['a UUID', '123e4567-e89b-12d3-a456-426614174000', false],
  ['a UUID in capitals', '123E4567-E89B-12D3-A456-426614174000', false],
  ['a UUID with more behind it', '123e4567-e89b-12d3-a456-426614174000ab', false],
  ['32 digits of hex', 'deadbeefdeadbeefdeadbeefdeadbeef', true],
  ['32 digits of hex in capitals', 'DEADBEEFDEADBEEFDEADBEEFDEADBEEF', true],
  ['31 digits of hex', 'deadbeefdeadbeefdeadbeefdeadbee', false],
  ['28 small letters and digits', 'ab1cd2ef3gh4ij5kl6mn7op8qr9s', true],
  ['27 small letters and digits', 'ab1cd2ef3gh4ij5kl6mn7op8qr9', false],
  ['28 letters with two digits', 'abcdefghijklmnopqrstuvwxyz12', false],
  ['a run of digits alone', '1234567890123456789012345678', false],
  ['a long word and a date', 'thelonglongwordofthelog20261122', false],
])('[LOG.3] that %s look random: %j is redacted: %j', (_what, run, redacted) => {
  expect(text(`it is ${run} here`)).toBe(redacted ? 'it is [redacted] here' : `it is ${run} here`)
})
