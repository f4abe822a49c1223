import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { repository } from './program.ts'

export interface CodeBlock {
  readonly language: string
  /** File that the block is the content of: ```js file=server.mjs */
  readonly file: string | undefined
  readonly code: string
}

/** The code that a page of the repository prints. */
export function codeOf(page: string): readonly CodeBlock[] {
  const text = readFileSync(join(repository, page), 'utf8')
  return [...text.matchAll(/^```(\w+)(?: file=(\S+))?\n([\s\S]*?)^```$/gm)].map(
    ([, language = '', file, code = '']) => ({ language, file, code }),
  )
}

/**
 * Writes the files that a page prints, with packages next to them.
 * @param packages the real folder of each package, by its name
 */
export function writeDocumented(
  page: string,
  folder: string,
  packages: Readonly<Record<string, string>>,
): void {
  for (const { file, code } of codeOf(page)) {
    if (file === undefined) continue
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), code)
  }
  for (const [name, path] of Object.entries(packages)) {
    const link = join(folder, 'node_modules', name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(path, link, 'dir')
  }
}
