import { fromWords, keyWords } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'

const WORDS_IN_LIST = 7_772n
const thumbprint = (value: bigint) =>
  Buffer.from(value.toString(16).padStart(64, '0'), 'hex').toString('base64url')

test('[OAUTH.1] spells a key as eight words that hold 103 bits of its thumbprint', () => {
  // The thumbprint of RFC 8037 appendix A.3; its words were computed with another program.
  expect(keyWords('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k')).toBe(
    'reunite-cement-trembling-chamomile-halt-greedless-reattach-facsimile',
  )
  for (const bits of [0n, 50n, 96n, 103n, 200n, 256n]) {
    const value = 2n ** bits - 1n
    expect(fromWords(keyWords(thumbprint(value)) ?? '', 8), String(bits)).toBe(value % WORDS_IN_LIST ** 8n)
  }
})

test('[OAUTH.1] spells another key differently', () => {
  const words = Array.from({ length: 256 }, (_, bit) => keyWords(thumbprint(2n ** BigInt(bit))))
  expect(new Set(words).size).toBe(256)
  for (const text of words) expect(text).toMatch(/^[a-z]{3,9}(?:-[a-z]{3,9}){7}$/)
})

test.each(['', 'abc', `${'A'.repeat(43)}=`, 'A'.repeat(44), `${'A'.repeat(42)}+`])(
  '[OAUTH.1] has no words for an invalid thumbprint: %s',
  (text) => expect(keyWords(text)).toBeUndefined(),
)
