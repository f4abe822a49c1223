import { z } from 'zod'
import { limits } from './limits.ts'

const CONTROL = /[\p{Cc}\p{Cf}\u2028\u2029]/gu

/**
 * Makes text from a peer fit to be shown: control, format and bidi characters become spaces, and it
 * is cut at `limits.textChars`.
 */
export function cleanText(text: string): string {
  return text.slice(0, limits.textChars).replace(CONTROL, ' ')
}

const PLAIN_NAME = /^[\x20-\x7e]+$/

/** Whether this can be the name of a server or a tool: bounded, and without control characters. */
export function isName(text: string): boolean {
  if (text === '' || text.length > limits.nameChars) return false
  return PLAIN_NAME.test(text) || text.search(CONTROL) === -1
}

export const nameSchema = z.string().min(1).max(limits.nameChars).refine(isName, 'has control characters')

export const callIdSchema = z.string().min(1).max(limits.callIdChars)
