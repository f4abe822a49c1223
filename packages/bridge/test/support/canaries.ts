/** A repeatable source of random text. */
function randomText(seed: number, alphabet: string, length: number): string {
  let state = seed * 2_654_435_761 + 1
  return Array.from({ length }, () => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 374_761_393) >>> 0
    return alphabet[(state >>> 8) % alphabet.length]
  }).join('')
}

const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'
const LOWER = UPPER.toLowerCase()
const DIGITS = '0123456789'
const ALPHANUMERIC = UPPER + LOWER + DIGITS

export interface Canary {
  /** Text that a peer might send. */
  readonly text: string
  /** Secret that must not be found afterwards. */
  readonly secret: string
  /** Recognised by nothing but its randomness, which a user id may have as well. */
  readonly formless?: boolean
}

type Make = (secret: string, seed: number) => Canary

const jwt = (seed: number): string =>
  `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ${randomText(seed, ALPHANUMERIC, 40)}.${randomText(seed + 1, ALPHANUMERIC, 43)}`
const around: readonly ((secret: string) => string)[] = [
  (s) => `Bearer ${s}`,
  (s) => `bearer%20${s}`,
  (s) => `Authorization: Basic ${s}`,
  (s) => `https://host/path?token=${s}`,
  (s) => `/api/mcp-ws?a=1&access_token=${s}&b=2`,
  (s) => `api_key=${s}`,
  (s) => `x-api-key: ${s}`,
  (s) => `{"password":"${s}"}`,
  (s) => `{\\"passphrase\\": \\"${s}\\"}`,
  (s) => `client_secret=${s}`,
  (s) => `privateKey='${s} ${s}'`,
  (s) => `token%3D${s}`,
  (s) => `postgres://admin:${s}@db.example.com/x`,
  (s) => `https://${s}@example.com/`,
  (s) => `Cookie: accessToken=${s}`,
]
const prefixed = [
  'sk-',
  'sk-ant-api03-',
  'sk_live_',
  'ghp_',
  'gho_',
  'github_pat_',
  'xoxb-',
  'glpat-',
  'npm_',
  'hf_',
  'hvs.',
  'pypi-',
]

const makers: readonly Make[] = [
  ...around.map(
    (wrap): Make =>
      (secret) => ({ text: wrap(secret), secret }),
  ),
  ...prefixed.map(
    (prefix): Make =>
      (_, seed) => {
        const secret = prefix + randomText(seed, ALPHANUMERIC, 36)
        return { text: secret, secret }
      },
  ),
  (_, seed) => ({ text: `AKIA${randomText(seed, UPPER, 16)}`, secret: `AKIA${randomText(seed, UPPER, 16)}` }),
  (_, seed) => ({
    text: `AIza${randomText(seed, ALPHANUMERIC, 35)}`,
    secret: randomText(seed, ALPHANUMERIC, 35),
  }),
  (_, seed) => ({ text: jwt(seed), secret: jwt(seed).split('.')[2] ?? '' }),
  (_, seed) => ({ text: jwt(seed).replaceAll('.', '%2E'), secret: randomText(seed, ALPHANUMERIC, 40) }),
  (_, seed) => ({ text: jwt(seed).slice(0, 60), secret: jwt(seed).slice(0, 60) }),
  (_, seed) => {
    const secret = randomText(seed, ALPHANUMERIC, 64)
    return { text: `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----`, secret }
  },
  (_, seed) => formless(randomText(seed, '0123456789abcdef', 40)),
  (_, seed) => formless(randomText(seed, ALPHANUMERIC, 43)),
  (_, seed) => formless(randomText(seed, LOWER + DIGITS, 40)),
]

function formless(secret: string): Canary {
  return { text: secret, secret, formless: true }
}

/** Returns this number of secrets, alternating between all kinds; the same each time. */
export function canaries(count: number): readonly Canary[] {
  return Array.from({ length: count }, (_, i) => {
    const make = makers[i % makers.length]
    if (make === undefined) throw new Error('there is no kind of secret')
    // A secret without a recognizable form: only its context reveals it.
    return make(
      `${randomText(i + 7, LOWER, 4)}${randomText(i + 9, DIGITS, 6)}${randomText(i, UPPER, 3)}`,
      i + 1_000,
    )
  })
}
