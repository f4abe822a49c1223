/**
 * Checks that docs/json-output.md says what the shapes of `--json` say; rewrites it with `--fix`.
 *
 * Usage: node scripts/check-json.ts [FILE] [--fix]
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { failed, jsonSchemaOf, shapes } from 'bridgekeeper/testing'
import { checkTable } from './generated-table.ts'

/** The used part of JSON Schema. */
interface Schema {
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly items?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Schema
  readonly description?: string
}

const { values, positionals } = parseArgs({ options: { fix: { type: 'boolean' } }, allowPositionals: true })

/** Commands that print the same share their rows. */
const commandsOf = new Map<string, { readonly schema: Schema; readonly names: string[] }>()
for (const [name, shape] of Object.entries({ 'any command that fails': failed, ...shapes })) {
  const schema: Schema = jsonSchemaOf(shape)
  const known = commandsOf.get(JSON.stringify(schema))
  if (known !== undefined) known.names.push(name)
  else commandsOf.set(JSON.stringify(schema), { schema, names: [name] })
}

checkTable(
  {
    check: 'json',
    path: positionals[0] ?? join(import.meta.dirname, '../docs/json-output.md'),
    document: 'docs/json-output.md',
    header: ['command', 'field', 'type', 'is'],
    rows: [...commandsOf.values()].flatMap(({ schema, names }) =>
      rowsOf(schema, '').map(([path = '', type = '', meaning = ''], i) => [
        i === 0 ? names.map((name) => `\`${name}\``).join(', ') : '',
        path === '' ? '' : `\`${path}\``,
        type.replaceAll('|', '\\|'),
        meaning,
      ]),
    ),
  },
  values.fix ?? false,
)

function rowsOf(schema: Schema, path: string, isOptional = false): string[][] {
  const own = [path, typeOf(schema) + (isOptional ? ', may be missing' : ''), schema.description ?? '']
  const variants = schema.anyOf ?? schema.oneOf
  if (variants !== undefined) return [own, ...variants.flatMap((variant) => rowsOf(variant, path))]
  if (schema.items !== undefined)
    return [own, ...rowsOf(schema.items, `${path}[]`).slice(hasFields(schema.items) ? 1 : 2)]
  const required = schema.required ?? []
  const members = Object.entries(schema.properties ?? {}).flatMap(([name, member]) =>
    rowsOf(member, path === '' ? name : `${path}.${name}`, !required.includes(name)),
  )
  return [own, ...members]
}

function hasFields({ properties, anyOf, oneOf }: Schema): boolean {
  return properties !== undefined || anyOf !== undefined || oneOf !== undefined
}

function typeOf(schema: Schema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(' | ')
  if (schema.anyOf !== undefined || schema.oneOf !== undefined) return 'one of these'
  if (schema.items !== undefined)
    return hasFields(schema.items) ? 'list of objects' : `list of ${typeOf(schema.items)}`
  if (schema.type === 'object')
    return schema.additionalProperties === false ? 'object' : 'object, with more fields'
  return schema.type ?? 'any'
}
