import { resolve } from 'node:path'
import { limits, nameSchema } from '@bridgekeeper/protocol'
import { z } from 'zod'
import { ConfigError } from './config-error.ts'
import { type Env, substitute } from './variables.ts'

/** A server as the user's file asks for it. */
export type ServerEntry = StdioEntry | HttpEntry

export interface StdioEntry {
  readonly kind: 'stdio'
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Values from `env` and from variables, to be kept out of whatever is shown. */
  readonly secrets: readonly string[]
}

/** A server that is reached over HTTP. This version does not run it. */
export interface HttpEntry {
  readonly kind: 'http'
  readonly name: string
}

const entrySchema = z.looseObject({
  command: z.string().min(1),
  args: z.array(z.string()).default([]),
  env: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])).default({}),
  cwd: z.string().min(1).optional(),
})
const httpSchema = z.union([
  z.looseObject({ url: z.string() }),
  z.looseObject({ serverUrl: z.string() }),
  z.looseObject({ httpUrl: z.string() }),
])
const disabledSchema = z.looseObject({ disabled: z.literal(true) })

/**
 * Reads one entry; `undefined` when it is disabled.
 *
 * @param folder what a relative `cwd` is relative to
 * @throws ConfigError `config_server_invalid`, `config_variable_missing`
 */
export function readEntry(name: string, value: unknown, env: Env, folder: string): ServerEntry | undefined {
  if (!nameSchema.safeParse(name).success) {
    throw invalid(name, `its name must have 1 to ${limits.nameChars} characters and no control characters`)
  }
  if (disabledSchema.safeParse(value).success) return undefined
  const parsed = entrySchema.safeParse(value)
  if (!parsed.success) {
    if (httpSchema.safeParse(value).success) return { kind: 'http', name }
    const issue = parsed.error.issues[0]
    throw invalid(name, `${issue?.path.join('.') || 'entry'}: ${issue?.message}`)
  }

  const secrets: string[] = []
  const fill = (text: string, key: string) =>
    substitute(text, env, `"${name}" (${key})`, (secret) => secrets.push(secret))
  const { command, args, cwd } = parsed.data
  const ownEnv = Object.fromEntries(
    Object.entries(parsed.data.env)
      .filter(([, text]) => text !== null)
      .map(([key, text]) => [key, fill(String(text), `env.${key}`)]),
  )
  return {
    kind: 'stdio',
    name,
    command: fill(command, 'command'),
    args: args.map((arg, i) => fill(arg, `args.${i}`)),
    env: ownEnv,
    ...(cwd !== undefined && { cwd: resolve(folder, fill(cwd, 'cwd')) }),
    secrets: [...secrets, ...Object.values(ownEnv)],
  }
}

function invalid(name: string, why: string): ConfigError {
  return new ConfigError(
    'config_server_invalid',
    `The server "${name}" in the config file is not valid: ${why}.`,
    'An entry needs a "command", and may have "args", "env" and "cwd".',
  )
}
