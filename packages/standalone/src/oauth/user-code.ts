import { fromWords, toWords } from '@bridgekeeper/protocol'

/** Digits of a code as the library draws and keeps it: 36.5 bits, which three words hold. */
export const CODE_MASK = '*'.repeat(11)
/** Longest text that a user may enter: the link with the code. */
export const MAX_CODE_CHARS = 512
const WORDS_OF_CODE = 3

/** [OAUTH.28] A code of the library as people read and type it, such as `cosmos-vertebrae-abrasive`. */
export function codeWords(digits: string): string {
  return toWords(BigInt(digits), WORDS_OF_CODE)
}

/**
 * [OAUTH.28] The code that a user means: its words in any letter case with anything but letters between them, or the
 * whole link that their machine shows.
 * @returns the code of the library; `undefined` if the text is no code
 */
export function codeDigits(text: string): string | undefined {
  if (text.length > MAX_CODE_CHARS) return undefined
  const digits = fromWords(codeOfLink(text), WORDS_OF_CODE)?.toString().padStart(CODE_MASK.length, '0')
  return digits?.length === CODE_MASK.length ? digits : undefined
}

function codeOfLink(text: string): string {
  const query = text.indexOf('?')
  return (query >= 0 && new URLSearchParams(text.slice(query)).get('user_code')) || text
}
