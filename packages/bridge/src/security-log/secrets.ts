/** Replaces a secret. */
export const REDACTED = '[redacted]'

/**
 * Every pattern below runs in linear time: repetitions are bounded or cannot match what follows them, and
 * none is nested.
 */
const PEM = /-----BEGIN [A-Z ]{1,40}-----[\s\S]*/g
const JWT = /eyJ[\w-]{5,}(?:[\w.=-]|%2e|%3d)*/gi
const SCHEME = /\b(bearer|basic)(?::|\s|%20|\+)+[^\s"',;]+/gi
const URL_CREDENTIALS = /\/\/[^\s/@]{1,512}@/g
const USER_AND_PASSWORD = /[^\s:/@"']{1,128}:[^\s:/@"']{1,128}@/g
const PAIR =
  /(passw(?:or)?d|pwd|passphrase|secret|token|api[_-]?key|(?:private|access|signing|encryption)[_-]?key|credentials?|signature|cookie|authorization|[?&](?:key|sig|sid|code))(\\{0,4}["']?\s{0,4}(?:[=:]|%3[ad])\s{0,4}(?:\\{0,4}"[^"]*"?|\\{0,4}'[^']*'?|%22[^\s&]*|[^\s&,;"'}]+))/gi

/** Keys with a recognizable prefix. The minimum lengths exclude our random call ids (22 characters). */
const KNOWN_KEY = new RegExp(
  `(?<![A-Za-z0-9])(?:${[
    'sk-[\\w-]{20,}',
    '[srp]k_(?:live|test)_\\w{10,}',
    'gh[opusr]_\\w{20,}',
    'github_pat_\\w{20,}',
    'xox[a-z]-[\\w-]{10,}',
    'xapp-[\\w-]{20,}',
    'A(?:KIA|SIA|ROA|IDA)[0-9A-Z]{12,}',
    'AIza[\\w-]{30,}',
    'ya29\\.[\\w-]{10,}',
    'gl[a-z]{2,5}-[\\w-]{20,}',
    'npm_\\w{20,}',
    'pypi-[\\w-]{20,}',
    'do[opr]_v1_\\w{20,}',
    'SG\\.[\\w-]{10,}\\.[\\w-]{10,}',
    'hf_\\w{20,}',
    'shp[a-z]{2}_\\w{20,}',
    'whsec_\\w{20,}',
    'hvs\\.\\w{20,}',
    '(?:gsk|xai|pplx|nvapi|lin_api)[_-][\\w-]{20,}',
    'AGE-SECRET-KEY-\\w{20,}',
  ].join('|')})`,
  'g',
)

const RUN = /[A-Za-z0-9+/_-]{24,}/g
const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i
const LONG_HEX = /[0-9a-f]{32}/i
const KINDS = [/[a-z]/, /[A-Z]/, /\d/]
const WORD = /[A-Za-z0-9]{28,}/

/** Redacts secrets of a known form. Runs in linear time. */
export function withoutKnownSecrets(text: string): string {
  return withoutCredentials(text.replace(PEM, REDACTED).replace(JWT, REDACTED))
    .replace(SCHEME, `$1 ${REDACTED}`)
    .replace(PAIR, `$1=${REDACTED}`)
    .replace(KNOWN_KEY, REDACTED)
}

function withoutCredentials(text: string): string {
  if (!text.includes('@')) return text
  return text.replace(URL_CREDENTIALS, `//${REDACTED}@`).replace(USER_AND_PASSWORD, `${REDACTED}@`)
}

/** Redacts keys in a plain id, which cannot contain other secrets. */
export function withoutKnownKeys(id: string): string {
  return id.replace(KNOWN_KEY, REDACTED)
}

/** Redacts long runs that look random, for secrets without a known form. */
export function withoutRandomRuns(text: string): string {
  return text.replace(RUN, (run) => (looksRandom(run) ? REDACTED : run))
}

/**
 * Random text switches between lower case, upper case, digits and signs at more than half of its positions;
 * words and paths, also in camelCase or with dates, at a third at most.
 */
function looksRandom(run: string): boolean {
  if (UUID.test(run)) return false
  if (LONG_HEX.test(run)) return true
  const mixed = /[a-z]/.test(run) && /[A-Z]/.test(run) && (/\d/.test(run) || run.length >= 40)
  if (mixed && changesIn(run) >= 0.4) return true
  const [word = ''] = WORD.exec(run) ?? []
  return /\d.*\d.*\d/.test(word) && changesIn(word) >= 0.2
}

/** Share of positions, 0 to 1, at which a run switches its kind of character. */
function changesIn(run: string): number {
  const kinds = Array.from(run, kindOf)
  return kinds.filter((kind, i) => i > 0 && kind !== kinds[i - 1]).length / (run.length - 1)
}

function kindOf(character: string): number {
  return KINDS.findIndex((kind) => kind.test(character))
}
