/** Shorter values, such as "1" or "true", are no secrets and occur everywhere. */
const MIN_SECRET_CHARS = 6
const HIDDEN = '[hidden]'
/** A character that a cut split, as decoding shows it. */
const CUT_CHARACTERS = /^\uFFFD+|\uFFFD+$/g

/** Redacts values that may be secret, also single lines of a longer value. */
export function hide(text: string, secrets: readonly string[]): string {
  return hider(secrets)(text)
}

/** The same for many texts. */
export function hider(secrets: readonly string[]): (text: string) => string {
  const hidden = longestFirst(secrets)
  return (text) => hidden.reduce((rest, secret) => rest.replaceAll(secret, HIDDEN), text)
}

/** The same for a text that was cut out of a longer one: also hides the part of a secret that a cut left at an end. */
export function cutHider(secrets: readonly string[]): (text: string) => string {
  const hidden = longestFirst(secrets)
  const hideWhole = hider(secrets)
  return (text) => hidden.reduce(hideEnds, hideWhole(text.replace(CUT_CHARACTERS, '')))
}

function longestFirst(secrets: readonly string[]): readonly string[] {
  return secrets
    .flatMap((secret) => [secret, ...secret.split('\n')])
    .filter((secret) => secret.length >= MIN_SECRET_CHARS)
    .toSorted((a, b) => b.length - a.length)
}

function hideEnds(text: string, secret: string): string {
  if (text.length >= MIN_SECRET_CHARS && secret.includes(text)) return HIDDEN
  const longest = Math.min(text.length, secret.length - 1)
  const atStart = longestPart(longest, (chars) => text.startsWith(secret.slice(-chars)))
  const rest = atStart === 0 ? text : HIDDEN + text.slice(atStart)
  const atEnd = longestPart(longest, (chars) => rest.endsWith(secret.slice(0, chars)))
  return atEnd === 0 ? rest : rest.slice(0, -atEnd) + HIDDEN
}

function longestPart(longest: number, isPart: (chars: number) => boolean): number {
  for (let chars = longest; chars >= MIN_SECRET_CHARS; chars--) if (isPart(chars)) return chars
  return 0
}
