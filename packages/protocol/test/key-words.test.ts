import { keyWords } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'

const thumbprint = (hex: string) => Buffer.from(hex.padEnd(64, '0'), 'hex').toString('base64url')

test('[OAUTH.1] spells a key as six words, as in the published proquints', () => {
  // The examples of arXiv:0901.4016: 127.0.0.1 is lusab-babad, 63.84.220.193 gutih-tugad, 212.58.253.68 tibup-zujah.
  expect(keyWords(thumbprint('7f000001' + '3f54dcc1' + 'd43afd44'))).toBe(
    'lusab-babad-gutih-tugad-tibup-zujah',
  )
})

test('[OAUTH.1] spells another key differently', () => {
  const words = new Set(
    Array.from({ length: 96 }, (_, bit) => {
      const bytes = Buffer.alloc(32)
      bytes[bit >> 3] = 1 << (bit & 7)
      return keyWords(bytes.toString('base64url'))
    }),
  )
  expect(words.size).toBe(96)
})

test.each(['', 'abc', `${'A'.repeat(43)}=`, 'A'.repeat(44), `${'A'.repeat(42)}+`])(
  '[OAUTH.1] has no words for an invalid thumbprint: %s',
  (text) => expect(keyWords(text)).toBeUndefined(),
)
