import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CODE_MASK, codeDigits, codeWords, MAX_CODE_CHARS } from '../src/oauth/user-code.ts'

const LENGTH = CODE_MASK.length
const codes = fc.integer({ min: 0, max: 10 ** LENGTH - 1 }).map((code) => String(code).padStart(LENGTH, '0'))

test('[OAUTH.28] spells a code as three words, and reads them however they are typed', () => {
  expect(LENGTH * Math.log2(10)).toBeGreaterThan(8 * Math.log2(20))
  fc.assert(
    fc.property(codes, fc.constantFrom('-', ' ', '', '  ', '.', '\n'), (code, between) => {
      const words = codeWords(code)
      expect(words).toMatch(/^[a-z]{3,9}(?:-[a-z]{3,9}){2}$/)
      const typed = words.replaceAll('-', between)
      expect(codeDigits(typed)).toBe(code)
      expect(codeDigits(` ${typed.toUpperCase()} `)).toBe(code)
      expect(codeDigits(`https://bridge.example.com/base/device?user_code=${words}`)).toBe(code)
    }),
  )
})

test('[OAUTH.28] refuses text that is not a code', () => {
  const [one = '', two = '', three = ''] = codeWords('12345678901').split('-')
  for (const text of [
    ...['', 'abacus', `${one}-${two}`, `${one}-${two}-${three}-${one}`, `${one}-${two}-${three}s`, 'x'],
    // Beyond the last code of the library.
    'zoom-zoom-zoom',
    `${one}-${two}-${three}${' '.repeat(MAX_CODE_CHARS)}`,
    'BCDF-GHJK',
    '12345678901',
  ])
    expect(codeDigits(text), text).toBeUndefined()
})
