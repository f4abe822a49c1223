import { z } from 'zod'
import { readSecretFile } from '../data/file-rights.ts'
import { SetupError } from './setup-error.ts'

/** Sources of values: the command line as commander parsed it, then the environment. */
export interface SettingSource {
  readonly flags: Readonly<Record<string, unknown>>
  readonly env: Readonly<Record<string, string | undefined>>
}

/** A setting, from which flags, `--help`, errors and README's table are generated. */
export interface Declaration {
  /** In commander's notation: `--port <number>`, or `[url]` for an argument. */
  readonly flag?: string
  /** Environment variable. Of a secret, `…_FILE` names a file that holds it. */
  readonly variable?: string
  readonly help: string
  readonly example?: string
  /** In the user's notation. */
  readonly default?: string
  /** Describes the behaviour without a value, where `default` cannot. */
  readonly unset?: string
  /** Whether a value may hold a password: then no error repeats it. */
  readonly isPrivate?: boolean
}

export interface Setting<Value> extends Declaration {
  readonly shape: 'one' | 'list' | 'switch' | 'secret'
  /** @throws SetupError `setting_invalid`; for a secret in a file also `secret_unreadable`, `rights_unsafe` */
  readonly read: (source: SettingSource) => Value
}

export type SettingTable = Readonly<Record<string, Setting<unknown>>>
export type ValuesOf<Table extends SettingTable> = {
  readonly [Name in keyof Table]: Table[Name] extends Setting<infer Value> ? Value : never
}

/** Reads all settings of a table. @throws SetupError as {@link Setting} */
export function readAll<Table extends SettingTable>(table: Table, source: SettingSource): ValuesOf<Table> {
  const values = Object.entries(table).map(([name, setting]) => [name, setting.read(source)] as const)
  return Object.fromEntries(values) as ValuesOf<Table>
}

/** @param schema reads the text; its description completes the sentence "PORT must be …" */
export function optional<T>(schema: z.ZodType<T>, declared: Declaration): Setting<T | undefined> {
  return {
    ...declared,
    shape: 'one',
    read: (source) => {
      const given = textOf(declared, source)
      return given && parse(schema, declared, given)
    },
  }
}

export function withDefault<T>(
  schema: z.ZodType<T>,
  declared: Declaration & { readonly default: string },
): Setting<T> {
  const name = 'The default'
  return {
    ...declared,
    shape: 'one',
    read: (source) => parse(schema, declared, textOf(declared, source) ?? { name, text: declared.default }),
  }
}

/** A repeatable flag, or a variable with commas. @param schema reads one item */
export function list<T>(schema: z.ZodType<T>, declared: Declaration): Setting<readonly T[]> {
  const { flag, variable } = declared
  return {
    ...declared,
    shape: 'list',
    read: ({ flags, env }) => {
      const given = flag === undefined ? undefined : flags[attributeOf(flag)]
      const isGiven = Array.isArray(given)
      const items = isGiven ? given.map(String) : itemsOf(env[variable ?? ''])
      const name = isGiven ? flagName(declared) : (variable ?? '')
      return items.map((text) => parse(schema, declared, { name, text }))
    },
  }
}

const ON = z.enum(['1', '0']).describe('1 or 0')

/** [CLI.19] Off unless the flag is given or the variable is `1`. Other values are refused: a slip must change nothing. */
export function toggle(declared: Declaration): Setting<boolean> {
  const setting = optionalToggle(declared)
  return { ...setting, read: (source) => setting.read(source) ?? false }
}

/** The same, if being switched off differs from not being set. */
export function optionalToggle(declared: Declaration): Setting<boolean | undefined> {
  const { flag } = declared
  return {
    ...declared,
    shape: 'switch',
    read: ({ flags, env }) => {
      if (flag !== undefined && flags[attributeOf(flag)] === true) return true
      const given = textOf(declared, { flags: {}, env })
      return given && parse(ON, { ...declared, example: '1' }, given) === '1'
    },
  }
}

/**
 * Declares a secret, which is never repeated. Read each time from its flag, its variable, or the file that
 * `…_FILE` names.
 */
export function secret(declared: Declaration): Setting<string | undefined> {
  return {
    ...declared,
    isPrivate: true,
    shape: 'secret',
    read: (source) => {
      const { flag, variable } = declared
      const given = flag === undefined ? undefined : source.flags[attributeOf(flag)]
      if (typeof given === 'string' && given !== '') return given
      return source.env[variable ?? ''] || secretIn(`${variable}_FILE`, source.env)
    },
  }
}

/**
 * Checks settings that depend on each other.
 * @param values by flag or variable
 * @returns `undefined` if none is set @throws SetupError `setting_invalid` if only some are
 */
export function allOrNone<Values extends Readonly<Record<string, unknown>>>(
  values: Values,
): { readonly [Name in keyof Values]: NonNullable<Values[Name]> } | undefined {
  const names = Object.keys(values)
  const missing = names.filter((name) => values[name] === undefined)
  if (missing.length === 0) return values as { [Name in keyof Values]: NonNullable<Values[Name]> }
  if (missing.length === names.length) return undefined
  throw new SetupError(
    'setting_invalid',
    `${missing.join(' and ')} must also be set: ${names.join(', ')} belong together.`,
    'Set all of them, or none of them.',
  )
}

/** The name under which commander keeps the value of a flag or argument. */
function attributeOf(flag: string): string {
  const [, name = ''] = /^(?:--|[[<])([\w-]+)/.exec(flag) ?? []
  return name.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
}

interface Given {
  /** Flag or variable, as an error names it. */
  readonly name: string
  readonly text: string
}

/** Treats an empty variable as unset. */
function textOf(declared: Declaration, { flags, env }: SettingSource): Given | undefined {
  const { flag, variable = '' } = declared
  const given = flag === undefined ? undefined : flags[attributeOf(flag)]
  if (typeof given === 'string') return { name: flagName(declared), text: given }
  const text = env[variable]?.trim()
  return text === undefined || text === '' ? undefined : { name: variable, text }
}

function flagName({ flag = '' }: Declaration): string {
  return flag.split(' ')[0] ?? ''
}

function itemsOf(text = ''): readonly string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

const SHOWN_CHARS = 100

function parse<T>(schema: z.ZodType<T>, { isPrivate, example }: Declaration, { name, text }: Given): T {
  const parsed = schema.safeParse(text)
  if (parsed.success) return parsed.data
  const got = isPrivate === true ? '' : `, got ${JSON.stringify(text.slice(0, SHOWN_CHARS))}`
  throw new SetupError(
    'setting_invalid',
    `${name} must be ${schema.description}${got}.`,
    example === undefined ? `Change ${name}.` : `Give one like ${example}.`,
  )
}

function secretIn(variable: string, env: SettingSource['env']): string | undefined {
  const path = env[variable]?.trim()
  if (path === undefined || path === '') return undefined
  try {
    const text = readSecretFile(path).trim()
    if (text !== '') return text
    throw new SetupError('secret_unreadable', `${path} is empty.`, 'Write the secret into it.')
  } catch (cause) {
    if (cause instanceof SetupError)
      throw new SetupError(cause.code, `${variable} ${cause.message}`, cause.next, { cause })
    throw new SetupError(
      'secret_unreadable',
      `${variable} ${path} cannot be read (${codeOf(cause)}).`,
      'Check the path and its rights.',
      { cause },
    )
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
}
