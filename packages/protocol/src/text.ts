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

/** A name of a server or a tool: no control characters, bounded. */
export const nameSchema = z
  .string()
  .min(1)
  .max(limits.nameChars)
  .refine((name) => name.search(CONTROL) === -1, 'has control characters')

export const callIdSchema = z.string().min(1).max(limits.callIdChars)
