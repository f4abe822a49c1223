import type { SecurityEvent } from '@bridgekeeper/bridge'
import { expect, test } from 'vitest'
import { Memo } from '../src/memoize.ts'
import { lineBody } from '../src/security-log/line.ts'
import { jsonText, redactions, type TextKind } from '../src/security-log/redact.ts'
import { canaries } from './support/canaries.ts'

const text = (value: unknown, kind: TextKind = 'text'): unknown => JSON.parse(jsonText(kind, value))

/** Long runs that look random: they change the kind of character more often than words. */
test.each([
  [
    'capitals and small letters without a digit, 40 of them',
    'aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgHiJkLmN',
    true,
  ],
  ['the same, 39 of them', 'aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgHiJkLm', false],
  ['the same, 24 of them with a digit', 'aBcDeFgHiJkLmNoPqRsTuVw9', true],
  ['the same, 23 of them with a digit', 'aBcDeFgHiJkLmNoPqRsTuV9', false],
  ['signs between, in small letters alone', 'a-b-c-d-e-f-g-h-i-j-k-l-m-n-o-p', false],
  ['signs between', 'a-B-c-D-e-F-g-H-i-J-k-L-m-N-9', true],
  ['two changes of five', 'abcDE6abcDE6abcDE6abcDE6abcDE6', true],
  ['long words in camelCase', 'getUserProfileFromDatabaseByEmailAddress2', false],
  ['a word with two digits in a row', 'Getuserandnames42fromTheList', false],
  ['a word with two digits apart', 'Getuser4andnames2fromTheList', false],
  ['the same with a third', 'Getuser4andnames2fromTheLis5', true],
  ['digits and signs in turn', 'aB1-2-3-4-5-6-7-8-9-0-cdefgh', true],
  ['a UUID', '123e4567-e89b-12d3-a456-426614174000', false],
  ['a UUID in any letters', 'a1B2c3D4-e5F6-a1B2-c3D4-e5F6a1B2c3D4', false],
  ['random text, then a UUID', 'aB1cD2-a1B2c3D4-e5F6-a1B2-c3D4-e5F6a1B2c3D4', true],
  ['a UUID, then random text', 'a1B2c3D4-e5F6-a1B2-c3D4-e5F6a1B2c3D4aB1cD2', true],
  ['10 changes in 26', 'AbAbAbAbA1bbbbbbbbbbbbbbbb', true],
  ['9 changes in 26', 'AbAbAbAbb1bbbbbbbbbbbbbbbb', false],
  ['capitals and digits alone, 26 of them', 'A1B2C3D4E5F6A1B2C3D4E5F6A1', false],
  ['small letters and digits alone, 26 of them', 'a1b2c3d4e5f6a1b2c3d4e5f6a1', false],
  ['6 changes in 31', 'zz1zz1zz1zzzzzzzzzzzzzzzzzzzzzz', true],
  ['5 changes in 31', 'zz1zz1zzzzzzzzzzzzzzzzzzzzzzzz1', false],
  ['6 changes in 32', 'zz1zz1zz1zzzzzzzzzzzzzzzzzzzzzzz', false],
  ['digits and signs, 28 of them', '1-2-3-4-5-6-7-8-9-0-1-2-3-4-5', false],
  ['letters at their ends', 'aZzA09aZzA09aZzA09aZzA09aZ', true],
  ['a UUID in capitals', '123E4567-E89B-12D3-A456-426614174000', false],
  ['a UUID with more behind it', '123e4567-e89b-12d3-a456-426614174000ab', false],
  ['32 digits of hex', 'deadbeefdeadbeefdeadbeefdeadbeef', true],
  ['32 digits of hex in capitals', 'DEADBEEFDEADBEEFDEADBEEFDEADBEEF', true],
  ['31 digits of hex', 'deadbeefdeadbeefdeadbeefdeadbee', false],
  ['28 small letters and digits', 'ab1cd2ef3gh4ij5kl6mn7op8qr9s', true],
  ['27 small letters and digits', 'ab1cd2ef3gh4ij5kl6mn7op8qr9', false],
  ['28 letters with two digits', 'abcdefghijklmnopqrstuvwxyz12', false],
  ['a run of digits alone', '1234567890123456789012345678', false],
  ['a long word and a date', 'thelonglongwordofthelog20261122', false],
])('[LOG.3] %s look random: %j is redacted: %j', (_what, run, redacted) => {
  expect(text(`it is ${run} here`)).toBe(redacted ? 'it is [redacted] here' : `it is ${run} here`)
})

test('[LOG.3] leaves no secret of 200 in any surrounding text', () => {
  for (const { text: value, secret, formless } of canaries(200)) {
    for (const kind of ['text', 'name', 'code', 'id', 'ip'] as const) {
      expect(text(value, kind)).not.toContain(secret)
      expect(text(`it failed: ${value} (again)`, kind)).not.toContain(secret)
    }
    if (formless !== true) expect(text(value, 'user')).not.toContain(secret)
  }
})

/** The beginning of each kind of key, and how many characters more make it one. */
const KEYS: readonly [string, number][] = [
  ['sk-', 20],
  ['sk_live_', 10],
  ['rk_test_', 10],
  ['pk_live_', 10],
  ...['o', 'p', 'u', 's', 'r'].map((kind): [string, number] => [`gh${kind}_`, 20]),
  ['github_pat_', 20],
  ['xoxb-', 10],
  ['xapp-', 20],
  ...['KIA', 'SIA', 'ROA', 'IDA'].map((kind): [string, number] => [`A${kind}`, 12]),
  ['AIza', 30],
  ['ya29.', 10],
  ['glpat-', 20],
  ['glab-', 20],
  ['gldepl-', 20],
  ['npm_', 20],
  ['pypi-', 20],
  ['dop_v1_', 20],
  ['dor_v1_', 20],
  ['doo_v1_', 20],
  ['SG.AAAAAAAAAA.', 10],
  ['hf_', 20],
  ['shpat_', 20],
  ['whsec_', 20],
  ['hvs.', 20],
  ['gsk_', 20],
  ['xai-', 20],
  ['pplx-', 20],
  ['nvapi-', 20],
  ['lin_api_', 20],
  ['AGE-SECRET-KEY-', 20],
]

test.each(KEYS)(
  '[LOG.3] redacts %s and %i characters more at the end of a word, and not inside one',
  (start, length) => {
    const key = start + 'A'.repeat(length)
    const short = key.slice(0, -1)
    for (const kind of ['user', 'text'] as const) {
      expect(text(`see ${key} here`, kind)).toBe('see [redacted] here')
      expect(text(`(${key}AAA)`, kind)).toBe('([redacted])')
      expect(text(`${key}, ${key}`, kind)).toBe('[redacted], [redacted]')
    }
    expect(text(`see ${short} here`, 'user')).toBe(`see ${short} here`)
    for (const before of ['x', 'X', '7']) expect(text(before + key, 'user')).toBe(before + key)
  },
)

test.each([
  ['sk-1_3-5678901234567890', '[redacted]'],
  ['xoxb-1-3_567890', '[redacted]'],
  ['xapp-1-3_56789012345678901', '[redacted]'],
  ['AIza1-3_56789012345678901234567890', '[redacted]'],
  ['ya29.1-3_567890', '[redacted]'],
  ['glpat-1-3_56789012345678901', '[redacted]'],
  ['pypi-1-3_56789012345678901', '[redacted]'],
  ['SG.1-3_567890.1-3_567890', '[redacted]'],
  ['SG.AAAAAAAAA.AAAAAAAAAA', 'SG.AAAAAAAAA.AAAAAAAAAA'],
  ['gsk-1-3_56789012345678901', '[redacted]'],
  ['AKIA0123456789ab', 'AKIA0123456789ab'],
  // Signed values, and the text that remains of them.
  ['it is eyJabcde here', 'it is [redacted] here'],
  ['it is eyJabcd here', 'it is eyJabcd here'],
  ['eyJ-_abc.de-f=%2eab%3D_x here', '[redacted] here'],
  ['EYJABCDE', '[redacted]'],
  ['a -----BEGIN RSA PRIVATE KEY-----\nabc def', 'a [redacted]'],
  [`-----BEGIN ${'Z'.repeat(40)}----- x`, '[redacted]'],
  [`-----BEGIN ${'Z'.repeat(41)}----- x`, `-----BEGIN ${'Z'.repeat(41)}----- x`],
  ['-----BEGIN ----- x', '-----BEGIN ----- x'],
  // Schemes
  ['Bearer abc def', 'Bearer [redacted] def'],
  ['basic:abc', 'basic [redacted]'],
  ['BEARER+abc', 'BEARER [redacted]'],
  ['bearer%20%20abc', 'bearer [redacted]'],
  ['bearer  : abc', 'bearer [redacted]'],
  ['bearer abc,def', 'bearer [redacted],def'],
  ['bearer abc;def "x"', 'bearer [redacted];def "x"'],
  ["bearer 'abc'", "bearer 'abc'"],
  ['forbearer abc', 'forbearer abc'],
  ['bearer', 'bearer'],
  // Addresses
  ['https://abc@host/x and https://def@host/y', 'https://[redacted]@host/x and https://[redacted]@host/y'],
  ['https://host/a@b', 'https://host/a@b'],
  [`x//${'a '.repeat(5)}@h`, `x//${'a '.repeat(5)}@h`],
  [`//${'é'.repeat(512)}@h`, '//[redacted]@h'],
  [`//${'é'.repeat(513)}@h`, `//${'é'.repeat(254)}`],
  ['ann:pw@host, bob:pw@host', '[redacted]@host, [redacted]@host'],
  ['ann@example.com', 'ann@example.com'],
  ['a: b@host', 'a: b@host'],
  ['a"b:c@host', 'a"[redacted]@host'],
  [`u:${'é'.repeat(128)}@h`, '[redacted]@h'],
  [`u:${'é'.repeat(129)}@h`, `u:${'é'.repeat(129)}@h`],
  [`${'é'.repeat(129)}:p@h`, 'é[redacted]@h'],
])('[LOG.3] redacts %j to %j', (value, left) => {
  expect(text(value)).toBe(left)
})

const SECRET_NAMES = [
  'passwd',
  'password',
  'pwd',
  'passphrase',
  'secret',
  'client_secret',
  'token',
  'apikey',
  'api_key',
  'api-key',
  'privatekey',
  'private_key',
  'private-key',
  'access_key',
  'signing-key',
  'encryption_key',
  'credential',
  'credentials',
  'signature',
  'cookie',
  'authorization',
  '?key',
  '&key',
  '?sig',
  '&sid',
  '?code',
]

test.each(SECRET_NAMES)('[LOG.3] redacts everything equal to %j, in any spelling', (name) => {
  for (const word of [name, name.toUpperCase()]) {
    const forms: [string, string][] = [
      [`${word}=v w`, ' w'],
      [`${word}: v w`, ' w'],
      [`${word}    :    v w`, ' w'],
      [`${word}%3dv w`, ' w'],
      [`${word}%3Av w`, ' w'],
      [`${word}":"v w",x`, ',x'],
      [`${word}\\": \\"v w\\",x`, ',x'],
      [`${word}\\\\\\\\"=\\\\\\\\"v w",x`, ',x'],
      [`${word}'='v w',x`, ',x'],
      [`${word}=\\'v w',x`, ',x'],
      [`${word}="v w`, ''],
      [`${word}='v w`, ''],
      [`${word}=""x`, 'x'],
      [`${word}=''x`, 'x'],
      [`${word}=%22v,w&x`, '&x'],
      [`${word}=%22 x`, ' x'],
      [`${word}=v&w`, '&w'],
      [`${word}=v,w`, ',w'],
      [`${word}=v;w`, ';w'],
      [`${word}=v"w`, '"w'],
      [`${word}=v'w`, "'w"],
      [`${word}=v}w`, '}w'],
    ]
    for (const [value, after] of forms) expect(text(`a${value}`)).toBe(`a${word}=[redacted]${after}`)
    for (const value of [`${word} v w`, `${word}     =v`, `${word}=     v`, `${word}= `])
      expect(text(value)).toBe(value)
  }
})

test.each(['key=v', 'sid=v', 'code: v', 'monkey=v', 'wordy: v'])('[LOG.4] keeps %j', (value) => {
  expect(text(value)).toBe(value)
})

test.each<[TextKind, number]>([
  ['code', 128],
  ['id', 128],
  ['name', 128],
  ['text', 256],
  ['user', 128],
  ['ip', 64],
])('[LOG.2] cuts a %s at %i characters, without half a character at its end', (kind, length) => {
  const words = 'word '.repeat(60)
  expect(text(words, kind)).toBe(words.slice(0, length))
  expect(text(`${words.slice(0, length - 1)}😀`, kind)).toBe(words.slice(0, length - 1))
  expect(text(`${words.slice(0, length - 2)}😀`, kind)).toBe(`${words.slice(0, length - 2)}😀`)
  // A result that was memoized for one kind does not apply to a stricter one.
  expect(text(words.slice(0, 100), 'text')).toHaveLength(100)
  expect(text(words.slice(0, 100), kind)).toBe(words.slice(0, Math.min(100, length)))
  for (const value of [undefined, null, 7, {}]) expect(text(value, kind)).toBe('[redacted]')
})

test('[LOG.2] replaces non-text by a space, and writes the rest in ASCII', () => {
  expect(text('a\ud800b\udc00c\u0000d\u202ee')).toBe('a b c d e')
  expect(jsonText('name', 'Zoë "日"')).toBe('"Zo\\u00eb \\"\\u65e5\\""')
  expect(jsonText('name', 'ÿ~ ')).toBe('"\\u00ff~ "')
})

test('[LOG.4] keeps a random user id as a name, cached for users only', () => {
  const random = 'aBcDeFgHiJkLmNoPqRsTuVw9'
  expect([text(random, 'user'), text(random, 'name'), text(random, 'user')]).toEqual([
    random,
    '[redacted]',
    random,
  ])
})

test.each<[TextKind, string, string]>([
  ['digest', 'a'.repeat(16), 'a'.repeat(16)],
  ['digest', '0f'.repeat(16), '0f'.repeat(16)],
  ['digest', '9a'.repeat(32), '9a'.repeat(32)],
  ['digest', 'a'.repeat(15), '[redacted]'],
  ['digest', 'a'.repeat(17), '[redacted]'],
  ['digest', 'g'.repeat(16), '[redacted]'],
  ['digest', 'a'.repeat(33), '[redacted]'],
  ['digest', 'a'.repeat(65), '[redacted]'],
  ['digest', `x${'a'.repeat(64)}`, '[redacted]'],
  ['id', 'aBcDeFgHiJkLmNoPqRsTuVw9', 'aBcDeFgHiJkLmNoPqRsTuVw9'],
  ['id', 'aBcDeFgHiJkLmNoPqRsTuVw9x', '[redacted]'],
  ['id', `user_${'0a'.repeat(12)}`, `user_${'0a'.repeat(12)}`],
  ['id', `device_${'0a'.repeat(16)}`, `device_${'0a'.repeat(16)}`],
  ['id', '0a'.repeat(16), '0a'.repeat(16)],
  ['id', '0a'.repeat(17), '[redacted]'],
  ['id', `x-${'0a'.repeat(16)}`, '[redacted]'],
  ['id', `user_${'0a1B'.repeat(9)}`, '[redacted]'],
  ['id', 'user_0a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6', '[redacted]'],
  ['id', 'é token=abc', 'é token=[redacted]'],
  ['id', 'token=abc', 'token=[redacted]'],
  ['id', 'sk-aaaaaaaaaaaaaaaaaaaaa', '[redacted]'],
  ['id', 'npm_aaaaaaaaaaaaaaaaaaaaaaaaa', '[redacted]'],
  ['id', 'a/b "c"', 'a/b "c"'],
  ['id', '', ''],
  ['ip', '203.0.113.7', '203.0.113.7'],
  ['ip', '2001:DB8::1', '2001:DB8::1'],
  ['ip', '::ffff:10.0.0.1', '::ffff:10.0.0.1'],
  ['ip', '2001:0db8:85a3:0000:0000:8a2e:0370:7334', '2001:0db8:85a3:0000:0000:8a2e:0370:7334'],
  ['ip', 'unknown', 'unknown'],
  ['ip', 'deadbeefdeadbeefdeadbeefdeadbeef', '[redacted]'],
  ['ip', 'deadb:eefdeadbeefdeadbeefdeadbeefdeadbeef', 'deadb:[redacted]'],
  ['ip', 'x1.2.3.4 token=abc', 'x1.2.3.4 token=[redacted]'],
  ['ip', '::1 token=abc', '::1 token=[redacted]'],
  ['ip', 'token=::1', 'token=[redacted]'],
  ['ip', 'token=1.2.3.4', 'token=[redacted]'],
  ['ip', '1.2.3.4\n', '1.2.3.4 '],
])('[LOG.3] [LOG.4] writes the %s %j as %j', (kind, value, written) => {
  expect(text(value, kind)).toBe(written)
})

test('[LOG.1] writes the present fields of the table, each in the form of its kind', () => {
  const line = (event: object): string | undefined => lineBody(event as SecurityEvent, 'T')
  expect(line({ event: 'ws_error', error: 'e', userId: 'u', ip: '::1', other: 1 })).toBe(
    '{"timestamp":"T","event":"ws_error","severity":"error","userId":"u","ip":"::1","error":"e"',
  )
  expect(line({ event: 'ws_challenge_verified' })).toBe(
    '{"timestamp":"T","event":"ws_challenge_verified","severity":"info"',
  )
  expect(line({ event: 'ws_message_too_large', size: 7, maxSize: Number.POSITIVE_INFINITY })).toBe(
    '{"timestamp":"T","event":"ws_message_too_large","severity":"warn","size":7,"maxSize":null',
  )
  for (const success of [true, false, 'true', 1]) {
    expect(line({ event: 'ws_tool_execution_result', requestId: 'r', success })).toBe(
      `{"timestamp":"T","event":"ws_tool_execution_result","severity":"info","requestId":"r","success":${success === true}`,
    )
  }
  for (const event of ['none', 'constructor', undefined]) expect(line({ event })).toBeUndefined()
})

test('[LOG.3] caches unchanged texts only', () => {
  const secret = 'password=neverkeepthis'
  for (const kind of ['code', 'name', 'text', 'user', 'ip'] as const) {
    jsonText(kind, secret)
    jsonText(kind, 'keep this')
    expect([redactions[kind].get(secret), redactions[kind].get('keep this')]).toEqual([
      undefined,
      '"keep this"',
    ])
  }
})

test('[LOG.4] caches at most a thousand short texts, and no long one', () => {
  const memo = new Memo<string>(1_000)
  for (let i = 0; i < 1_000; i++) memo.keep(`text ${i}`, `made ${i}`)
  expect([memo.get('text 0'), memo.get('text 999'), memo.get('other')]).toEqual([
    'made 0',
    'made 999',
    undefined,
  ])
  memo.keep('one more', 'made')
  expect([memo.get('text 0'), memo.get('text 999'), memo.get('one more')]).toEqual([
    undefined,
    undefined,
    'made',
  ])
  for (const [length, made] of [
    [256, 'made'],
    [257, undefined],
  ] as const) {
    memo.keep('x'.repeat(length), 'made')
    expect(memo.get('x'.repeat(length))).toBe(made)
  }
})
