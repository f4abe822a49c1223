import { ConfigError } from './config-error.ts'
import { positionAt } from './position.ts'

type Utf16 = 'utf-16le' | 'utf-16be'

/**
 * Decodes a config file: UTF-8, or UTF-16 as editors on Windows write it, each with or without a byte order mark.
 *
 * @throws ConfigError `config_malformed`, with line and column, for any other encoding
 */
export function textOfBytes(bytes: Buffer): string {
  const utf16 = utf16Of(bytes)
  const text = utf16 === undefined ? decodeUtf8(bytes) : decodeUtf16(bytes, utf16)
  return text.replace(/^\uFEFF/, '')
}

/** Without a mark, the first character of a config file is ASCII and tells the byte order. */
function utf16Of(bytes: Buffer): Utf16 | undefined {
  const [first, second] = bytes
  if (first === 0xff && second === 0xfe) return 'utf-16le'
  if (first === 0xfe && second === 0xff) return 'utf-16be'
  if (first !== undefined && first !== 0 && second === 0) return 'utf-16le'
  return first === 0 && second !== undefined && second !== 0 ? 'utf-16be' : undefined
}

function decodeUtf16(bytes: Buffer, encoding: Utf16): string {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes)
  } catch {
    throw undecodable('The config file looks like UTF-16 but is not valid UTF-16.')
  }
}

function decodeUtf8(bytes: Buffer): string {
  const text = bytes.toString('utf8')
  const offset = firstReplaced(text, bytes)
  if (offset === undefined) return text
  throw undecodable(`The config file is not valid UTF-8, at line:column ${positionAt(text, offset)}.`)
}

/** Finds the first replacement character whose bytes are not UTF-8. */
function firstReplaced(text: string, bytes: Buffer): number | undefined {
  let sizeBytes = 0
  let from = 0
  for (let at = text.indexOf('\uFFFD'); at !== -1; at = text.indexOf('\uFFFD', from)) {
    sizeBytes += Buffer.byteLength(text.slice(from, at))
    if (bytes.toString('latin1', sizeBytes, sizeBytes + 3) !== '\xEF\xBF\xBD') return at
    sizeBytes += 3
    from = at + 1
  }
  return undefined
}

function undecodable(message: string): ConfigError {
  return new ConfigError('config_malformed', message, 'Save the file as UTF-8.')
}
