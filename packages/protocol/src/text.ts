import { z } from 'zod'
import { limits } from './limits.ts'

const CONTROL = /[\p{Cc}\p{Cf}\u2028\u2029]/gu

/**
 * Makes a peer's text safe to show: replaces control, format and bidi characters by spaces and cuts at
 * `limits.textChars`.
 */
export function cleanText(text: string): string {
  return text.slice(0, limits.textChars).replace(CONTROL, ' ')
}

const PLAIN_NAME = /^[\x20-\x7e]+$/

/** Whether the text can name a server or a tool: bounded, without control characters. */
export function isName(text: string): boolean {
  if (text === '' || text.length > limits.nameChars) return false
  return PLAIN_NAME.test(text) || text.search(CONTROL) === -1
}

export const nameSchema = z.string().min(1).max(limits.nameChars).refine(isName, 'has control characters')

export const callIdSchema = z.string().min(1).max(limits.callIdChars)
