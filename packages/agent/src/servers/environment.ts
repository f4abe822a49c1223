/** What a program needs to run at all. Anything else of the agent's environment may be a secret. */
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

/** The environment of a local server: a few names of the agent's own, then those of its entry. */
export function serverEnvironment(
  agentEnv: Readonly<Record<string, string | undefined>>,
  entryEnv: Readonly<Record<string, string>>,
  platform: NodeJS.Platform,
): Record<string, string> {
  const names: readonly string[] = platform === 'win32' ? INHERITED.windows : INHERITED.posix
  const inherited = names.flatMap((name) => {
    const value = agentEnv[name]
    return value === undefined ? [] : [[name, value] as const]
  })
  return { ...Object.fromEntries(inherited), ...entryEnv }
}
