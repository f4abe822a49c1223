import type { IncomingMessage, ServerResponse } from 'node:http'
import { CALLER_SCOPES } from '@bridgekeeper/protocol'
import { letPagesRead } from '../cors.ts'
import { pathOf } from '../gates/canonical-path.ts'
import { DPOP_ALGORITHMS } from '../gates/dpop.ts'
import { NameFinder, ownNames } from '../gates/own-names.ts'
import { isMcpResource, mcpResource } from '../gates/resource.ts'
import { answerHeaders } from './respond.ts'

const WELL_KNOWN = '/.well-known/oauth-protected-resource'

/** Issuers of the tokens that are taken, and the addresses of the resources. */
export interface ResourceOptions {
  readonly publicUrls: readonly string[]
  /** Issuers, as URLs. The first public URL stands for the bridge itself, under whichever name it is asked. */
  readonly authorizationServers: readonly string[]
}

/**
 * [RS.5] [RS.8] Tells clients which authorization server issues tokens for `/mcp` and `/mcp/{server}`. Public
 * and the same for everybody, also for pages of any origin. Source: RFC 9728 sections 2 and 3.
 */
export class ResourceMetadata {
  readonly #options: ResourceOptions
  readonly #names: NameFinder

  constructor(options: ResourceOptions) {
    this.#options = options
    this.#names = new NameFinder(ownNames(options.publicUrls))
  }

  /** @returns whether the request was for metadata, and is answered */
  handle(request: IncomingMessage, response: ServerResponse, pathname: string): boolean {
    if (!pathname.startsWith(WELL_KNOWN)) return false
    const { name, path } = this.#names.within(request.headers.host, pathname.slice(WELL_KNOWN.length))
    const resource = resourceAt(name, path)
    if (resource === undefined) return false
    if (letPagesRead(request, response, '*')) return true
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    if (!isRead) {
      response.writeHead(405, { allow: 'GET, HEAD', 'content-length': 0, ...answerHeaders }).end()
      return true
    }
    const body = JSON.stringify({
      resource,
      authorization_servers: this.#issuers(name),
      scopes_supported: CALLER_SCOPES,
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

  /** [RS.8] The address of the metadata for the resource of a request, under the name that the client has used. */
  urlFor({ headers, url }: IncomingMessage): string {
    return this.#names.at(headers.host) + WELL_KNOWN + pathOf(url)
  }

  #issuers(name: string): string[] {
    const { authorizationServers, publicUrls } = this.#options
    return authorizationServers.map((issuer) => (issuer === publicUrls[0] ? name : issuer))
  }
}

function resourceAt(name: string, path: string): string | undefined {
  if (path === '') return mcpResource(name)
  const resource = name + path
  return isMcpResource(name, resource) ? resource : undefined
}
