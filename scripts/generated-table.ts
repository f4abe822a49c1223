import { readFileSync, writeFileSync } from 'node:fs'

/** A table in a document that is generated from the code. */
export interface GeneratedTable {
  /** Name of the check, as `npm run check -- NAME` takes it. */
  readonly check: string
  /** Command that takes `--fix`. Default: the check of this name. */
  readonly command?: string
  /** Path of the document, and its name in messages. */
  readonly path: string
  readonly document: string
  readonly header: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/**
 * Checks that the document holds exactly this table between its marks, or rewrites it. Prints the result and sets the
 * exit code.
 * @param fix whether to rewrite a stale table
 */
export function checkTable(table: GeneratedTable, fix: boolean): void {
  const { check, command = `npm run check -- ${check}`, path, document, header, rows } = table
  const beginMark = `<!-- made by ${command} --fix -->`
  const endMark = `<!-- end of ${check} -->`
  const fail = (reason: string): void => {
    console.log(`${document}:1  ${check}  ${reason}`)
    process.exitCode = 1
  }
  const text = readFileSync(path, 'utf8')
  const begin = text.indexOf(beginMark)
  const end = text.indexOf(endMark)
  if (begin === -1 || end < begin) return fail('the marks around its table are missing')
  const lines = [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`)
  const wanted = `${text.slice(0, begin + beginMark.length)}\n\n${lines.join('\n')}\n\n${text.slice(end)}`
  if (text === wanted) console.log(`${check}: ${rows.length}, all in the page`)
  else if (fix) writeFileSync(path, wanted)
  else fail(`is stale: ${command} --fix`)
}
