import { isObject } from '@bridgekeeper/protocol'

/** Strict clients refuse a whole list because of one odd item (MCP 2025-11-25, schema, Prompt and Resource). */

/** Whether strict clients accept a prompt. */
export function isStrictPrompt(prompt: unknown): boolean {
  if (!isObject(prompt) || !hasTexts(prompt)) return false
  const { arguments: args = [] } = prompt
  return Array.isArray(args) && args.every(isArgument)
}

function isArgument(argument: unknown): boolean {
  if (!isObject(argument) || typeof argument.name !== 'string' || !hasTexts(argument)) return false
  return isOptional(argument.required, 'boolean')
}

/** Whether strict clients accept a resource, or a template of resources. */
export function isStrictResource(resource: unknown): boolean {
  if (!isObject(resource) || typeof resource.name !== 'string' || !hasTexts(resource)) return false
  const { mimeType, size, annotations = {} } = resource
  return isOptional(mimeType, 'string') && isOptional(size, 'number') && isObject(annotations)
}

function hasTexts({ title, description }: Readonly<Record<string, unknown>>): boolean {
  return isOptional(title, 'string') && isOptional(description, 'string')
}

function isOptional(value: unknown, type: 'string' | 'number' | 'boolean'): boolean {
  return value === undefined || typeof value === type
}
