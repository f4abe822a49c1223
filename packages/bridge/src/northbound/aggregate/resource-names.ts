import { type RawJson, textAt } from '@bridgekeeper/protocol'
import type { Catalog } from '../../directory/directory.ts'

/** Resources of an MCP App must keep their scheme. */
const APP_SCHEME = 'ui://'
const APP_WRAPPER = 'ui://bridgekeeper/'
const WRAPPER = 'bridgekeeper://'

/** A resource of one local server. */
export interface ResourceAddress {
  readonly serverName: string
  /** As its server knows it. */
  readonly uri: string
}

/** The URI, or template of URIs, under which a resource is found although another server has the same. */
export function wrappedUri({ serverName, uri }: ResourceAddress): string {
  const server = encodeURIComponent(serverName.toWellFormed())
  return `${uri.startsWith(APP_SCHEME) ? APP_WRAPPER : WRAPPER}${server}/${uri}`
}

/** @returns `undefined` for any other URI */
export function unwrappedUri(wrapped: string): ResourceAddress | undefined {
  const wrapper = [APP_WRAPPER, WRAPPER].find((each) => wrapped.startsWith(each))
  if (wrapper === undefined) return undefined
  const [, server = '', uri = ''] = /^([^/]*)\/(.*)$/s.exec(wrapped.slice(wrapper.length)) ?? []
  try {
    return uri === '' ? undefined : { serverName: decodeURIComponent(server), uri }
  } catch {
    return undefined
  }
}

const appOwners = new WeakMap<Catalog, ReadonlyMap<string, string>>()

/** The server of each App that a tool shows: the first whose tools name it. */
export function appOwnersOf(catalog: Catalog): ReadonlyMap<string, string> {
  const known = appOwners.get(catalog)
  if (known !== undefined) return known
  const owners = new Map<string, string>()
  for (const server of catalog.values())
    for (const { definition } of server.state === 'ready' ? server.tools : []) {
      const uri = appUriOf(Buffer.from(definition))
      if (uri !== undefined && !owners.has(uri)) owners.set(uri, server.name)
    }
  appOwners.set(catalog, owners)
  return owners
}

/** The App that a tool shows (SEP-1865). */
export function appUriOf(definition: RawJson): string | undefined {
  const uri = textAt(definition, ['_meta', 'ui', 'resourceUri'])
  return uri?.startsWith(APP_SCHEME) ? uri : undefined
}

/** Whether a URI may come from this template: it begins with what precedes its first variable. */
export function templateFits(template: string, uri: string): boolean {
  const [literal = ''] = template.split('{')
  return literal !== '' && uri.startsWith(literal)
}
