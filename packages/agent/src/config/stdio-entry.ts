import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isProgram, splitCommandLine, USUAL_PATHEXT } from './command-line.ts'
import type { EntryContext, StdioEntry } from './entry.ts'
import { invalidEntry } from './entry-error.ts'
import { EntryFiller } from './entry-filler.ts'
import type { EntryReader } from './entry-reader.ts'
import { readEnvFile } from './env-file.ts'
import { withBraces } from './variables.ts'

/**
 * Reads an entry that has a command.
 * @throws ConfigError `config_server_invalid`, `config_variable_missing`
 */
export function readStdio(
  reader: EntryReader,
  commandLine: string | readonly string[],
  context: EntryContext,
): StdioEntry {
  const startLimit = reader.startLimit()
  const filler = new EntryFiller(reader.name, context)
  fillEnv(reader, filler, context)
  const cwd = reader.text('cwd')
  const folder = cwd === undefined ? undefined : filler.path(cwd, 'cwd')
  const endings = context.platform === 'win32' ? (context.env.PATHEXT ?? USUAL_PATHEXT).split(';') : []
  const [first = '', ...more] = wordsOf(reader.name, commandLine, (word) => {
    const program = filler.fill(word, 'command')
    return isProgram(program, filler.env.PATH ?? context.env.PATH, folder ?? context.folder, endings)
  })
  const era = reader.era()
  const roots = rootsOf(reader, filler, context.folder)
  const inheritEnv = [...context.inheritEnv, ...reader.inheritEnv()]
  return {
    kind: 'stdio',
    name: reader.name,
    command: filler.fill(first, 'command'),
    args: [
      ...more.map((word, at) => filler.fill(word, `command.${at + 1}`)),
      ...reader.args().map((arg, at) => filler.fill(arg, `args.${at}`)),
    ],
    env: filler.env,
    ...(folder !== undefined && { cwd: folder }),
    secrets: filler.secrets,
    ...(startLimit !== undefined && { startLimit }),
    ...(inheritEnv.length > 0 && { inheritEnv }),
    ...(era !== undefined && { era }),
    ...roots,
  }
}

/** Reads `envFile`, and `env` over it. */
function fillEnv(reader: EntryReader, filler: EntryFiller, { env }: EntryContext): void {
  const envFile = reader.text('envFile')
  if (envFile !== undefined) {
    const read = readEnvFile(filler.path(envFile, 'envFile'))
    if (!read.ok)
      throw invalidEntry(reader.name, `envFile: ${read.reason}`, 'Correct "envFile", or use "env" instead.')
    filler.addEnv(read.env)
  }
  for (const [key, text] of reader.env())
    filler.addEnv({ [key]: filler.fill(withBraces(text, env), `env.${key}`) })
}

/** Splits `command` into a program and arguments. A longer list stays as it is, and so does text that names a program. */
function wordsOf(
  name: string,
  command: string | readonly string[],
  isThere: (program: string) => boolean,
): readonly string[] {
  const [text = '', ...others] = typeof command === 'string' ? [command] : command
  if (others.length > 0) return [text, ...others]
  if (!/\s|^["']/.test(text) || isThere(text)) return [text]
  const line = splitCommandLine(text)
  if (!line.ok) throw invalidEntry(name, `command: ${line.reason}`)
  return [line.command, ...line.args]
}

/** Reads the roots of the server: folders, or those of its clients. */
function rootsOf(
  reader: EntryReader,
  filler: EntryFiller,
  folder: string,
): Pick<StdioEntry, 'roots' | 'clientRoots'> {
  const roots = reader.roots()?.map((root, at) => rootUri(filler.fill(root, `roots.${at}`), folder))
  const clientRoots = reader.flag('clientRoots')
  if (roots !== undefined && clientRoots === true)
    throw invalidEntry(reader.name, 'roots: must not be given together with clientRoots')
  return { ...(roots !== undefined && { roots }), ...(clientRoots === true && { clientRoots }) }
}

/** The URI of a folder, which may be a path in the folder of the config file. */
function rootUri(root: string, folder: string): string {
  return /^file:\/\//i.test(root) ? root : pathToFileURL(resolve(folder, root)).href
}
