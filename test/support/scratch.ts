import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { atEnd } from './at-end.ts'

/** A folder that the end of the test, or of the file, removes. */
export function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'bridgekeeper-test-'))
  atEnd(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
