import type { Era } from '@bridgekeeper/protocol'

/** A list of MCP that every server has its part of. */
export interface ListKind {
  readonly method: string
  /** Member of the result with the items. */
  readonly member: string
  /** Member of an item that must be unique. */
  readonly key: 'name' | 'uri' | 'uriTemplate' | 'taskId'
  /** Capability of servers that have the list. */
  readonly capability: 'tools' | 'prompts' | 'resources' | 'tasks'
}

export const TOOLS: ListKind = { method: 'tools/list', member: 'tools', key: 'name', capability: 'tools' }
export const PROMPTS: ListKind = {
  ...{ method: 'prompts/list', member: 'prompts', key: 'name', capability: 'prompts' },
}
export const RESOURCES: ListKind = {
  ...{ method: 'resources/list', member: 'resources', key: 'uri', capability: 'resources' },
}
export const TEMPLATES: ListKind = {
  ...{ method: 'resources/templates/list', member: 'resourceTemplates' },
  ...{ key: 'uriTemplate', capability: 'resources' },
}

/** The 2026 era has tasks without a list. */
export const TASKS: ListKind = { method: 'tasks/list', member: 'tasks', key: 'taskId', capability: 'tasks' }

const KINDS: readonly ListKind[] = [TOOLS, PROMPTS, RESOURCES, TEMPLATES]

/** The list that a method asks for. */
export function listKindOf(method: string, era: Era): ListKind | undefined {
  if (method === TASKS.method) return era === '2025' ? TASKS : undefined
  return KINDS.find((kind) => kind.method === method)
}
