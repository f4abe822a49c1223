import type { Env } from '../env.ts'

/** Variables that a program needs to run. Anything else in the agent's environment may be a secret. */
const INHERITED = {
  posix: ['HOME', 'LANG', 'LC_ALL', 'LOGNAME', 'PATH', 'SHELL', 'TERM', 'TMPDIR', 'TZ', 'USER'],
  windows: [
    'APPDATA',
    'COMSPEC',
    'HOMEDRIVE',
    'HOMEPATH',
    'LOCALAPPDATA',
    'PATH',
    'PATHEXT',
    'PROCESSOR_ARCHITECTURE',
    'PROGRAMDATA',
    'PROGRAMFILES',
    'SYSTEMDRIVE',
    'SYSTEMROOT',
    'TEMP',
    'TMP',
    'USERNAME',
    'USERPROFILE',
  ],
} as const

/** Proxies. Most programs also read the names in lower case, and some read only these. */
const PROXIES = ['ALL_PROXY', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY']
/** The way out of a company's network: proxies, and the certificates that TLS is checked by. */
const NETWORK = [
  ...PROXIES,
  ...PROXIES.map((name) => name.toLowerCase()),
  ...[
    'AWS_CA_BUNDLE',
    'CARGO_HTTP_CAINFO',
    'CURL_CA_BUNDLE',
    'DENO_CERT',
    'GIT_SSL_CAINFO',
    'NIX_SSL_CERT_FILE',
  ],
  ...['NODE_EXTRA_CA_CERTS', 'NODE_USE_ENV_PROXY', 'NODE_USE_SYSTEM_CA', 'PIP_CERT', 'REQUESTS_CA_BUNDLE'],
  ...['SSL_CERT_DIR', 'SSL_CERT_FILE', 'UV_NATIVE_TLS', 'UV_SYSTEM_CERTS'],
  ...['npm_config_cafile', 'npm_config_https_proxy', 'npm_config_noproxy', 'npm_config_proxy'],
]
/** The agent's own settings, including its token. No list of an entry can inherit them. */
const OWN = /^BRIDGEKEEPER_/i

export interface ServerEnvironment {
  readonly env: Record<string, string>
  /** Values inherited by an entry's list, and passwords of proxies: redacted from all output. */
  readonly secrets: readonly string[]
}

/**
 * Builds the environment of a local server: a few of the agent's variables, those that `inheritEnv` lists,
 * and the entry's own.
 *
 * @param inheritEnv names; `XDG_*` matches all with this prefix
 */
export function serverEnvironment(
  agentEnv: Env,
  entry: { readonly env: Readonly<Record<string, string>>; readonly inheritEnv?: readonly string[] },
  platform: NodeJS.Platform,
): ServerEnvironment {
  const isWindows = platform === 'win32'
  const usual = valuesOf(agentEnv, [...(isWindows ? INHERITED.windows : INHERITED.posix), ...NETWORK])
  const listed = valuesOf(agentEnv, listedNames(agentEnv, entry.inheritEnv ?? []))
  const all = [...usual, ...listed, ...Object.entries(entry.env)]
  return {
    env: isWindows ? withoutCase(all) : Object.fromEntries(all),
    secrets: [...listed.map(([, value]) => value), ...usual.flatMap(([, value]) => passwordsIn(value))],
  }
}

function valuesOf(agentEnv: Env, names: readonly string[]): readonly (readonly [string, string])[] {
  return names.flatMap((name) => {
    const value = agentEnv[name]
    return value === undefined ? [] : [[name, value] as const]
  })
}

function listedNames(agentEnv: Env, patterns: readonly string[]): readonly string[] {
  const names = patterns.flatMap((pattern) => {
    if (!pattern.endsWith('*')) return [pattern]
    const start = pattern.slice(0, -1)
    return Object.keys(agentEnv).filter((name) => name.startsWith(start))
  })
  return names.filter((name) => !OWN.test(name))
}

/** On Windows `Path` and `PATH` are one variable; the last value counts. */
function withoutCase(all: readonly (readonly [string, string])[]): Record<string, string> {
  const byName = new Map(all.map((pair) => [pair[0].toUpperCase(), pair]))
  return Object.fromEntries(byName.values())
}

/** The user name and the password of a proxy's URL, as written there, and decoded. A password may have an `@`. */
function passwordsIn(value: string): readonly string[] {
  const userInfo = /^(?:[a-z][a-z0-9+.-]*:\/\/)?([^/]*)@/i.exec(value)?.[1]
  if (userInfo === undefined) return []
  const password = userInfo.slice(userInfo.indexOf(':') + 1)
  return [userInfo, password, decoded(password)]
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
