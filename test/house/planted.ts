import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { atEnd } from '../support/at-end.ts'

export const repository = join(import.meta.dirname, '../..')

export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Writes files into a new folder that the end of the test removes. Returns the folder. */
export function plant(files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), 'bridgekeeper-house-'))
  atEnd(() => rmSync(root, { recursive: true, force: true }))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return root
}

/** Copies files or folders of the repository to the same places in a planted tree. */
export function transplant(root: string, ...paths: string[]): void {
  for (const path of paths) cpSync(join(repository, path), join(root, path), { recursive: true })
}

/** Runs Node and waits for its end. */
export function runNode(args: string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, args, { env: { ...process.env, ...env } }, (_, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    )
  })
}

/** Runs one of the repository's checks on a tree. */
export function check(script: string, root: string): Promise<Outcome> {
  return runNode([join(repository, 'scripts', script), root])
}
