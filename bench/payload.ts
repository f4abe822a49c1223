/** The payload sizes of the benchmark, and the bytes that are sent for each. */

export const sizes = { '200B': 200, '64KB': 64 * 1024, '900KB': 900 * 1024 } as const
export type SizeName = keyof typeof sizes
export const sizeNames = Object.keys(sizes) as SizeName[]

const TOOL_PREFIX = 'size_'
const HEAD = '{"content":[{"type":"text","text":"'
const TAIL = '"}]}'

/** Texts that tools return: half the payload is code, dense with escaped quotes, and half is prose with none. */
const CODE =
  'export function greet(name: string): string {\n' +
  '  // Trims first: " Zoë " and "Zoë" are one person.\n' +
  '  return name.trim() === "" ? "Hello" : "Hello, " + name.replace(/\\s+/g, " ")\n' +
  '}\n\n'
const PROSE =
  'The bridge stands between the caller and the machine.\nIt forwards what the tool said, byte for byte.\n'

/** The tool that answers with a result of this size. */
export function toolOf(resultBytes: number): string {
  return TOOL_PREFIX + resultBytes
}

/** The size that a tool of the benchmark answers with. */
export function resultBytesOf(toolName: string): number {
  return Number(toolName.slice(TOOL_PREFIX.length))
}

/** A CallToolResult of exactly so many bytes of JSON. */
export function callToolResult(resultBytes: number): Buffer {
  const textBytes = resultBytes - HEAD.length - TAIL.length
  if (textBytes < 0) throw new Error(`a result has at least ${HEAD.length + TAIL.length} bytes`)
  const code = repeated(CODE, textBytes / 2)
  const prose = repeated(PROSE, textBytes - code.length)
  const padding = '.'.repeat(textBytes - code.length - prose.length)
  return Buffer.concat([Buffer.from(HEAD), code, prose, Buffer.from(padding + TAIL)])
}

/** A text as JSON writes it, as often as it fits. */
function repeated(text: string, limitBytes: number): Buffer {
  const once = Buffer.from(JSON.stringify(text).slice(1, -1))
  return Buffer.alloc(Math.floor(limitBytes / once.length) * once.length, once)
}
