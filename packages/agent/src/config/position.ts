/** Converts an offset to `line:column`, both from 1. */
export function positionAt(text: string, offset: number): string {
  return `${lineAt(text, offset)}:${offset - text.lastIndexOf('\n', offset - 1)}`
}

/** The line of an offset, from 1. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length
}
