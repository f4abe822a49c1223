/** Bytes of the JSON grammar (RFC 8259 section 2), for readers of bytes. */
export const SPACE = 0x20
export const QUOTE = 0x22
export const PLUS = 0x2b
export const COMMA = 0x2c
export const MINUS = 0x2d
export const POINT = 0x2e
export const ZERO = 0x30
const NINE = 0x39
export const COLON = 0x3a
export const UPPER_E = 0x45
export const OPEN_BRACKET = 0x5b
export const BACKSLASH = 0x5c
export const CLOSE_BRACKET = 0x5d
export const LOWER_E = 0x65
export const LOWER_U = 0x75
export const OPEN_BRACE = 0x7b
export const CLOSE_BRACE = 0x7d
/** Position of something that is not there. */
export const NOT_FOUND = -1
const TAB = 0x09
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf])

export function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE
}

/** @returns the position of the next byte that is not white space, possibly behind the last one */
export function skipSpace(json: Buffer, at: number): number {
  let byte = json[at]
  while (byte === SPACE || byte === LINE_FEED || byte === CARRIAGE_RETURN || byte === TAB) byte = json[++at]
  return at
}

/** Whether these bytes are exactly this ASCII text. */
export function isTextAt(json: Buffer, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false
  for (let i = 0; i < text.length; i++) if (json[start + i] !== text.charCodeAt(i)) return false
  return true
}

/** Removes a byte order mark, which a reader may ignore (RFC 8259 section 8.1). */
export function withoutByteOrderMark(text: Buffer): Buffer {
  const isMarked = text[0] === BYTE_ORDER_MARK[0] && text.subarray(0, 3).equals(BYTE_ORDER_MARK)
  return isMarked ? text.subarray(3) : text
}
