import { isThumbprint } from './proof.ts'

const CONSONANTS = 'bdfghjklmnprstvz'
const VOWELS = 'aiou'
const WORDS = 6

/**
 * The fingerprint of a key in six words, such as `lusab-babad-gutih-tugad-mudof-sakat`, for a person to
 * compare on two screens. Holds 96 bits of the thumbprint, 16 per word of alternating consonants and vowels,
 * so that no letter is mistaken for another and no language is assumed. Source: Wilkerson, "A Proposal for
 * Proquints", arXiv:0901.4016.
 *
 * @param keyId JWK thumbprint (RFC 7638), base64url of SHA-256
 * @returns `undefined` if `keyId` is not a thumbprint
 */
export function keyWords(keyId: string): string | undefined {
  if (!isThumbprint(keyId)) return undefined
  const bytes = atob(keyId.replaceAll('-', '+').replaceAll('_', '/'))
  return Array.from({ length: WORDS }, (_, at) =>
    word(bytes.charCodeAt(2 * at) * 256 + bytes.charCodeAt(2 * at + 1)),
  ).join('-')
}

function word(bits: number): string {
  return [
    CONSONANTS.charAt((bits >> 12) & 15),
    VOWELS.charAt((bits >> 10) & 3),
    CONSONANTS.charAt((bits >> 6) & 15),
    VOWELS.charAt((bits >> 4) & 3),
    CONSONANTS.charAt(bits & 15),
  ].join('')
}
