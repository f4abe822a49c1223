/** The bytes that are sent for each size of a result. */

const NAME_PREFIX = 'size_'
/** A CallToolResult and a GetPromptResult, around their text. */
const CALL = ['{"content":[{"type":"text","text":"', '"}]}'] as const
const PROMPT = ['{"messages":[{"role":"user","content":{"type":"text","text":"', '"}}]}'] as const

/** Texts that tools return: half the payload is code, dense with escaped quotes, and half is prose with none. */
const CODE =
  'export function greet(name: string): string {\n' +
  '  // Trims first: " Zoë " and "Zoë" are one person.\n' +
  '  return name.trim() === "" ? "Hello" : "Hello, " + name.replace(/\\s+/g, " ")\n' +
  '}\n\n'
const PROSE =
  'The bridge stands between the caller and the machine.\nIt forwards what the tool said, byte for byte.\n'

/** The tool or prompt that answers with a result of this size. */
export function nameOf(resultBytes: number): string {
  return NAME_PREFIX + resultBytes
}

/** The size that a tool or prompt of the benchmark answers with. */
export function resultBytesOf(name: string): number {
  return Number(name.slice(NAME_PREFIX.length))
}

/** A CallToolResult of exactly so many bytes of JSON. */
export function callToolResult(resultBytes: number): Buffer {
  return filled(CALL, resultBytes)
}

/** A GetPromptResult of exactly so many bytes of JSON. */
export function promptResult(resultBytes: number): Buffer {
  return filled(PROMPT, resultBytes)
}

function filled([head, tail]: readonly [string, string], resultBytes: number): Buffer {
  const textBytes = resultBytes - head.length - tail.length
  if (textBytes < 0) throw new Error(`a result has at least ${head.length + tail.length} bytes`)
  const code = repeated(CODE, textBytes / 2)
  const prose = repeated(PROSE, textBytes - code.length)
  const padding = '.'.repeat(textBytes - code.length - prose.length)
  return Buffer.concat([Buffer.from(head), code, prose, Buffer.from(padding + tail)])
}

/** A text as JSON writes it, as often as it fits. */
function repeated(text: string, limitBytes: number): Buffer {
  const once = Buffer.from(JSON.stringify(text).slice(1, -1))
  return Buffer.alloc(Math.floor(limitBytes / once.length) * once.length, once)
}
