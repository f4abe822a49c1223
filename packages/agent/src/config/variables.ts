import { basename, dirname, sep } from 'node:path'
import type { Env } from '../env.ts'
import { ConfigError } from './config-error.ts'

/** Values from which variables are filled. */
export interface FillContext {
  readonly env: Env
  /** The user's home folder. */
  readonly home: string
  /** The folder of the config file. */
  readonly folder: string
  readonly platform: NodeJS.Platform
}

/**
 * Matches `${VAR}` and `${env:VAR}` with an optional default, which may have variables itself; variables that
 * only another program fills (an editor, Continue, an extension of Claude Desktop, OpenCode's `{file:…}`), `$HOME`, `${/}`, and OpenCode's `{env:VAR}`.
 */
const VARIABLE =
  /\$\{(?:env:)?([A-Za-z_]\w*)(?::-((?:\$\{[^{}]*\}|[^}])*))?\}|(\$\{(?:input|config|command|promptString|workspaceFolder):[^}]*\}|\$\{\{\s*(?:secrets|inputs)\.[^}]*\}\}|\$\{user_config\.[^}]*\}|(?<!\$)\{file:[^}]*\})|(?<![\w$\\])(\$HOME)(?!\w)|(\$\{\/\})|(?<!\$)\{env:([A-Za-z_]\w*)\}/g
/** Names of variables of VS Code that depend on the open file. */
const EDITORS_ONLY =
  /^(?:file|relativeFile)(?:[A-Z]\w*)?$|^(?:lineNumber|columnNumber|selectedText|execPath|defaultBuildTask)$/
/** Matches `%VAR%`, on Windows. */
const PERCENT = /%([A-Za-z_][\w()]*)%/g
/** Variables that are not redacted: they name the user's folder, which messages need to be readable. */
const PUBLIC: readonly string[] = ['HOME', 'USERPROFILE']

/**
 * Fills `${VAR}`, `${VAR:-default}`, `${env:VAR}`, `$HOME`, `~` at the beginning, and the folders that editors know, such
 * as `${workspaceFolder}`. As in a shell, a default also replaces an empty value. Any other `${` stays.
 *
 * @param where the entry and its member, for the error
 * @param onSecret gets every value that came from a variable
 * @throws ConfigError `config_variable_missing`
 */
export function fill(
  text: string,
  context: FillContext,
  where: string,
  onSecret: (value: string) => void,
): string {
  const { env, home, platform } = context
  const lookUp = (name: string) => variableOf(env, name, platform)
  const take = (name: string, value: string) => {
    if (!PUBLIC.includes(platform === 'win32' ? name.toUpperCase() : name)) onSecret(value)
    return value
  }
  const filled = atHome(text, home).replace(
    VARIABLE,
    (
      _,
      named?: string,
      fallback?: string,
      editors?: string,
      dollarHome?: string,
      slash?: string,
      bare?: string,
    ) => {
      if (editors !== undefined)
        throw missing(
          `${editors} in ${where} can only be filled by the program that the file was written for.`,
          `Use a variable of the environment instead, such as \${NAME}.`,
        )
      if (dollarHome !== undefined) return home
      if (slash !== undefined) return sep
      const name = named ?? bare ?? ''
      const value = lookUp(name)
      if (fallback !== undefined && (value === undefined || value === ''))
        return fill(fallback, context, where, onSecret)
      if (value !== undefined) return take(name, value)
      const known = editorsValue(name, context)
      if (known === undefined && EDITORS_ONLY.test(name))
        throw missing(`\${${name}} in ${where} can only be filled by an editor.`, 'Write the path itself.')
      if (known === undefined) throw missing(`The variable ${name}, used in ${where}, is not set.`)
      return known
    },
  )
  if (platform !== 'win32') return filled
  return filled.replace(PERCENT, (whole, name: string) => {
    const value = lookUp(name)
    return value === undefined ? whole : take(name, value)
  })
}

/** Windows ignores case in names of variables. */
function variableOf(env: Env, name: string, platform: NodeJS.Platform): string | undefined {
  if (Object.hasOwn(env, name)) return env[name]
  if (platform !== 'win32') return undefined
  const known = Object.keys(env).find((key) => key.toUpperCase() === name.toUpperCase())
  return known === undefined ? undefined : env[known]
}

/**
 * Writes `$VAR` in a value of `env` as `${VAR}` if that variable is set: as the whole value, which Gemini CLI
 * fills, and `$PATH` anywhere. Others may be part of a password.
 */
export function withBraces(value: string, env: Env): string {
  return value.replace(
    /^\$([A-Za-z_]\w*)$|(?<![\w$\\])\$(PATH)(?!\w)/g,
    (whole: string, alone?: string, path?: string) => {
      const name = alone ?? path ?? ''
      return Object.hasOwn(env, name) ? `\${${name}}` : whole
    },
  )
}

/** Replaces a leading `~` with the home folder, also in an option such as `--folder=~/x`. */
function atHome(text: string, home: string): string {
  return text.replace(/^(--?[\w-]+=)?~(?=$|[/\\])/, (_, option = '') => `${option}${home}`)
}

/** Value of a variable that editors define. The workspace is the parent of a folder such as `.vscode`. */
function editorsValue(name: string, { home, folder }: FillContext): string | undefined {
  const workspace = basename(folder).startsWith('.') ? dirname(folder) : folder
  switch (name) {
    case 'HOME':
    case 'userHome':
      return home
    case 'workspaceFolder':
    case 'fileWorkspaceFolder':
    case 'workspaceRoot':
    case 'cwd':
      return workspace
    case 'workspaceFolderBasename':
      return basename(workspace)
    case 'pathSeparator':
      return sep
    default:
      return undefined
  }
}

function missing(
  message: string,
  next = `Set it in the agent's environment, or write a default: \${NAME:-default}`,
): ConfigError {
  return new ConfigError('config_variable_missing', message, next)
}
