import type { IncomingMessage, ServerResponse } from 'node:http'
import { ALL_SCOPES } from '../gates/call-authority.ts'
import { DPOP_ALGORITHMS } from '../gates/dpop.ts'
import { isMcpResource } from '../gates/resource.ts'
import { answerHeaders } from './respond.ts'

const WELL_KNOWN = '/.well-known/oauth-protected-resource'

/** Whose tokens are taken, and under which address the resources are named. */
export interface ResourceOptions {
  readonly publicUrl: string
  /** Issuers, as URLs. */
  readonly authorizationServers: readonly string[]
}

/**
 * [RS.5] Where a client learns which authorization server gives tokens for `/mcp` and `/mcp/{server}`. Public,
 * also for pages of any origin: it is the same for everybody. Source: RFC 9728 sections 2 and 3.
 */
export class ResourceMetadata {
  readonly #options: ResourceOptions

  constructor(options: ResourceOptions) {
    this.#options = options
  }

  /** @returns whether the request was for metadata, and is answered */
  handle(request: IncomingMessage, response: ServerResponse, pathname: string): boolean {
    if (!pathname.startsWith(WELL_KNOWN)) return false
    const resource = this.#resourceAt(pathname.slice(WELL_KNOWN.length))
    if (resource === undefined) return false
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    if (!isRead) {
      response.writeHead(405, { allow: 'GET, HEAD', 'content-length': 0, ...answerHeaders }).end()
      return true
    }
    const body = JSON.stringify({
      resource,
      authorization_servers: this.#options.authorizationServers,
      scopes_supported: ALL_SCOPES,
      bearer_methods_supported: ['header'],
      dpop_signing_alg_values_supported: DPOP_ALGORITHMS,
      resource_name: 'Bridgekeeper',
    })
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'cache-control': 'public, max-age=300',
      'access-control-allow-origin': '*',
      'x-content-type-options': 'nosniff',
    })
    response.end(request.method === 'HEAD' ? undefined : body)
    return true
  }

  /** The address of the metadata for an MCP path. */
  urlFor(path: string): string {
    return this.#options.publicUrl + WELL_KNOWN + path
  }

  #resourceAt(path: string): string | undefined {
    const { publicUrl } = this.#options
    if (path === '' || path === '/mcp') return `${publicUrl}/mcp`
    const resource = publicUrl + path
    return isMcpResource(publicUrl, resource) ? resource : undefined
  }
}
