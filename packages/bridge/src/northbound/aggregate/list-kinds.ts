/** A list of MCP that every server has its part of. */
export interface ListKind {
  readonly method: string
  /** Member of the result with the items. */
  readonly member: string
  /** Member of an item that must be unique. */
  readonly key: 'name' | 'uri' | 'uriTemplate'
  /** Capability of servers that have the list. */
  readonly capability: 'tools' | 'prompts' | 'resources'
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

const KINDS: readonly ListKind[] = [TOOLS, PROMPTS, RESOURCES, TEMPLATES]

/** The list that a method asks for. */
export function listKindOf(method: string): ListKind | undefined {
  return KINDS.find((kind) => kind.method === method)
}
