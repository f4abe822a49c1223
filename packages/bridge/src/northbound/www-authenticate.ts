import { CALLER_SCOPES, codes, type ErrorCode } from '@bridgekeeper/protocol'
import { DPOP_ALGORITHMS } from '../gates/dpop.ts'

const REALM = 'realm="bridgekeeper"'

/** Longest scope in the header: clients refuse a response whose headers are over 16 KiB. */
const MAX_SCOPE_CHARS = 2_048

/** Optional parts of the header `WWW-Authenticate`. */
export interface AuthenticateFacts {
  /** Address of this resource's metadata; `undefined` without an authorization server. */
  readonly metadataUrl?: string | undefined
  /** The scope that was missing. */
  readonly neededScope?: string | undefined
}

/**
 * [RS.6] Returns the values of `WWW-Authenticate`: the accepted kinds of token, the error, and the metadata.
 * Source: RFC 6750 section 3, RFC 9449 section 7.1, RFC 9728 section 5.1, MCP authorization ("scope
 * selection").
 */
export function wwwAuthenticate(code: ErrorCode, { metadataUrl, neededScope }: AuthenticateFacts): string[] {
  const where = metadataUrl === undefined ? [] : [`resource_metadata="${metadataUrl}"`]
  if (code === 'scope_insufficient') {
    const isShown = neededScope !== undefined && neededScope.length <= MAX_SCOPE_CHARS
    const scope = isShown ? [`scope="${neededScope}"`] : []
    return [`Bearer ${[REALM, 'error="insufficient_scope"', ...scope, ...where].join(', ')}`]
  }
  const scope = metadataUrl === undefined ? [] : [`scope="${CALLER_SCOPES.join(' ')}"`]
  const bearer = `Bearer ${[REALM, ...reason(code, 'invalid_token'), ...scope, ...where].join(', ')}`
  if (metadataUrl === undefined && code !== 'dpop_proof_invalid') return [bearer]
  const error = code === 'dpop_proof_invalid' ? reason(code, 'invalid_dpop_proof') : []
  return [bearer, `DPoP ${[REALM, ...error, `algs="${DPOP_ALGORITHMS.join(' ')}"`, ...where].join(', ')}`]
}

/** RFC 6750 section 3.1: no error code if no token was sent. */
function reason(code: ErrorCode, error: string): string[] {
  if (code === 'token_missing') return []
  return [`error="${error}"`, `error_description="${codes[code].message}"`]
}
