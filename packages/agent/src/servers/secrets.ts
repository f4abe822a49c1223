/** Shorter values, such as "1" or "true", are no secrets and occur everywhere. */
const MIN_SECRET_CHARS = 6

/** Takes values that may be secret out of a text, also when only one line of one stands there. */
export function hide(text: string, secrets: readonly string[]): string {
  return secrets
    .flatMap((secret) => [secret, ...secret.split('\n')])
    .filter((secret) => secret.length >= MIN_SECRET_CHARS)
    .toSorted((a, b) => b.length - a.length)
    .reduce((hidden, secret) => hidden.replaceAll(secret, '[hidden]'), text)
}
