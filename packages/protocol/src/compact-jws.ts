const COMPACT_JWS = /^[\w-]+\.[\w-]+\.[\w-]+$/

/** Whether the text has the form of a signed token: three parts in base64url (RFC 7515 section 7.1). */
export function isCompactJws(text: string): boolean {
  return COMPACT_JWS.test(text)
}
