import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addressKey, isLoopback, requestFacts, TrustedProxies } from '../../src/gates/request-facts.ts'

const proxies = new TrustedProxies(['10.0.0.0/8', '192.0.2.7', 'fd00::/8'])

function client(remoteAddress: string | undefined, ...forwardedFor: string[]) {
  const rawHeaders = forwardedFor.flatMap((value) => ['X-Forwarded-For', value])
  return proxies.clientAddress(requestFacts({ url: '/', rawHeaders, socket: { remoteAddress } }))
}

test.each([
  ['203.0.113.1', '198.51.100.1'],
  ['203.0.113.1', '127.0.0.1'],
  ['203.0.113.1', '10.0.0.1'],
  ['::1', '198.51.100.1'],
  ['11.0.0.1', '198.51.100.1, 10.0.0.1'],
  ['192.0.2.8', '198.51.100.1'],
])('[ADDR.4] ignores what %s, which is no trusted proxy, forwards: %j', (peer, forwardedFor) => {
  expect(client(peer, forwardedFor)).toEqual(client(peer))
  expect(client(peer)).toMatchObject({ ip: peer, isProxy: false })
})

test.each<[string, string[], string]>([
  ['one hop', ['198.51.100.1'], '198.51.100.1'],
  ['entries that the client wrote in front', ['127.0.0.1, 10.0.0.9, 198.51.100.1'], '198.51.100.1'],
  ['proxies behind it', ['198.51.100.1, 10.1.1.1, 192.0.2.7'], '198.51.100.1'],
  ['two headers, the later nearer', ['203.0.113.9', '198.51.100.1'], '198.51.100.1'],
  ['two headers, of which one is the proxies', ['198.51.100.1', '10.1.1.1'], '198.51.100.1'],
  ['a port', ['198.51.100.1:4711'], '198.51.100.1'],
  ['brackets', ['[2001:db8::1]'], '2001:db8::1'],
  ['brackets and a port', ['[2001:db8::1]:4711'], '2001:db8::1'],
  ['an IPv4 address in the form of IPv6', ['::ffff:198.51.100.1'], '198.51.100.1'],
  ['a proxy in the form of IPv6', ['198.51.100.1, ::ffff:10.0.0.3'], '198.51.100.1'],
  ['an IPv6 proxy', ['198.51.100.1, fd12::5'], '198.51.100.1'],
  ['a zone', ['fe80::1%eth0'], 'fe80::1'],
  ['white space', ['  \t 198.51.100.1 \t'], '198.51.100.1'],
  ['garbage before the last hop', ['nonsense, 198.51.100.1'], '198.51.100.1'],
  ['a hop without end before the last', [`${'9'.repeat(5_000)}, 198.51.100.1`], '198.51.100.1'],
])(
  '[ADDR.2] behind a trusted proxy, with %s, takes the last address that is no proxy',
  (_what, headers, ip) => {
    expect(client('10.0.0.1', ...headers)).toMatchObject({ ip, isProxy: false })
    expect(client('::ffff:10.0.0.1', ...headers)).toMatchObject({ ip, isProxy: false })
  },
)

test.each<[string, string[]]>([
  ['no header', []],
  ['an empty header', ['']],
  ['only commas', [',,,']],
  ['a name', ['client.example.com']],
  ['an invalid hop, and the client in front', ['198.51.100.1, unknown']],
  ['an address with a word', ['198.51.100.1 evil']],
  ['a hop without end', [`198.51.100.1, ${'9'.repeat(5_000)}`]],
  ['an address in hex', ['0xc6336401']],
  ['an address as one number', ['3325256705']],
  ['a short address', ['198.51']],
  ['an octal address', ['0306.063.0144.01']],
  ['an empty last hop', ['198.51.100.1,']],
  ['half a bracket', ['[2001:db8::1']],
  ['an invalid port', ['198.51.100.1:port']],
])('[ADDR.2] behind a trusted proxy, with %s, takes the proxy, which is never blocked', (_what, headers) => {
  expect(client('10.0.0.1', ...headers)).toMatchObject({ isProxy: true, ip: expect.stringMatching(/^10\./) })
})

test('[ADDR.2] stops at an unreadable hop, and takes the last readable proxy', () => {
  expect(client('10.0.0.1', '198.51.100.1, nonsense, 10.0.0.5')).toEqual({
    ip: '10.0.0.5',
    key: '10.0.0.5',
    isProxy: true,
  })
})

test.each<[string, string[], string]>([
  ['one client', ['10.1.2.3'], '10.1.2.3'],
  ['a client behind two proxies', ['10.1.2.3, 192.0.2.7'], '10.1.2.3'],
  ['two headers', ['10.1.2.3', '10.0.0.3'], '10.1.2.3'],
  ['an IPv6 client', ['fd12:3:4:5::6, 10.0.0.3'], 'fd12:3:4:5::6'],
  ['a proxy that names itself', ['10.0.0.1'], '10.0.0.1'],
])('[ADDR.6] takes the outermost of trusted addresses as the client: %s', (_what, headers, ip) => {
  expect(client('10.0.0.1', ...headers)).toMatchObject({ ip, isProxy: false })
})

test('[ADDR.6] takes an outside client’s own address, whatever trusted addresses it writes in front', () => {
  const trusted = fc.constantFrom('10.0.0.1', '10.1.2.3', '192.0.2.7', 'fd00::1', '[fd00::2]:80')
  fc.assert(
    fc.property(fc.array(trusted, { maxLength: 50, size: 'max' }), (written) => {
      expect(client('10.0.0.1', [...written, '198.51.100.1'].join(', '))).toMatchObject({
        ip: '198.51.100.1',
        isProxy: false,
      })
    }),
  )
})

test('[ADDR.2] ignores hops beyond 32 in a chain', () => {
  const hops = (count: number) => ['198.51.100.1', ...Array(count).fill('10.0.0.2')].join(', ')
  expect(client('10.0.0.1', hops(31))).toMatchObject({ ip: '198.51.100.1', isProxy: false })
  expect(client('10.0.0.1', hops(32))).toMatchObject({ ip: '10.0.0.2', isProxy: false })
  expect(client('10.0.0.1', `${hops(40)}, 203.0.113.5`)).toMatchObject({ ip: '203.0.113.5', isProxy: false })
})

test('[ADDR.2] ignores everything that a client writes in front of its own address', () => {
  const word = fc.oneof(
    fc.string(),
    fc.ipV4(),
    fc.ipV6(),
    fc.constantFrom('10.0.0.1', '127.0.0.1', '::1', ',', '"', '[', ']:1'),
  )
  fc.assert(
    fc.property(fc.array(word, { maxLength: 50, size: 'max' }), (written) => {
      expect(client('10.0.0.1', ...written, '198.51.100.1')).toMatchObject({
        ip: '198.51.100.1',
        isProxy: false,
      })
      expect(client('10.0.0.1', `${written.join(',')},198.51.100.1`)).toMatchObject({ ip: '198.51.100.1' })
    }),
  )
})

test('[ADDR.3] counts addresses of one IPv6 /64 as one, and of another separately', () => {
  const keys = ['2001:db8:0:1::1', '2001:db8:0:1:ffff::2', '2001:DB8:0:1:0:0:0:3', '2001:db8:0:2::1'].map(
    (ip) => client(ip).key,
  )
  expect(keys).toEqual(['2001:db8:0:1::/64', '2001:db8:0:1::/64', '2001:db8:0:1::/64', '2001:db8:0:2::/64'])
})

test('[ADDR.3] counts an IPv4 address as one in every form', () => {
  for (const form of [
    '198.51.100.1',
    '::ffff:198.51.100.1',
    '::FFFF:c633:6401',
    '0:0:0:0:0:ffff:198.51.100.1',
  ])
    expect(client(form)).toEqual({ ip: '198.51.100.1', key: '198.51.100.1', isProxy: false })
})

test.each([undefined, '', 'nonsense', '1.2.3', '%eth0', '1.2.3.4.5', '0x7f000001'])(
  '[ADDR.3] counts all peers with the address %j as one',
  (peer) => {
    expect(client(peer)).toEqual({ ip: 'unknown', key: 'unknown', isProxy: false })
  },
)

test('[ADDR.3] caches parsed addresses correctly and within a bound', () => {
  const none = new TrustedProxies([])
  const of = (remoteAddress: string) =>
    none.clientAddress(requestFacts({ url: '/', rawHeaders: [], socket: { remoteAddress } }))
  const first = of('198.51.100.1')
  expect(of('198.51.100.1')).toBe(first)
  for (let host = 0; host < 4_096; host++) of(`10.1.${host >> 8}.${host & 255}`)
  expect(of('198.51.100.1')).not.toBe(first)
  expect(of('198.51.100.1')).toEqual(first)
})

test('[ADDR.2] matches ranges to the exact address, and not in the other family', () => {
  const trusts = (range: string, ...ips: string[]) => ips.map((ip) => new TrustedProxies([range]).has(ip))
  expect(trusts('10.1.0.0/16', '10.1.0.0', '10.1.255.255', '10.0.255.255', '10.2.0.0', '::1')).toEqual([
    true,
    true,
    false,
    false,
    false,
  ])
  expect(trusts('192.0.2.7', '192.0.2.7', '192.0.2.8', '::ffff:192.0.2.7')).toEqual([true, false, true])
  expect(trusts('2001:db8::5', '2001:db8::5', '2001:db8::6')).toEqual([true, false])
  expect(trusts('::ffff:192.0.2.7', '192.0.2.7')).toEqual([true])
  expect(trusts('fe80::/10', 'fe80::1%eth0', 'fec0::1', '254.128.0.1')).toEqual([true, false, false])
  expect(trusts('0.0.0.0/0', '8.8.8.8', '::1', 'nonsense')).toEqual([true, false, false])
})

test.each([
  '',
  'proxy.example.com',
  '10.0.0.0/33',
  '10.0.0.0/-1',
  '10.0.0.0/',
  '/8',
  '10.0.0.0/8/8',
  '10.0.0.0/8 ',
  '10.0.0.0 - 10.0.0.9',
  '10/8',
  '10.0/16',
  '012.0.0.0/8',
  '0xa.0.0.0/8',
  'fd00::/129',
  'fd00::%eth0/8',
  '::ffff:10.0.0.0/104',
  '*',
  'loopback',
])('[ADDR.2] refuses %j, which is neither address nor range', (text) => {
  expect(() => new TrustedProxies(['10.0.0.1', text])).toThrow(TypeError)
})

test.each<[string, string | undefined]>([
  ['198.51.100.1', '198.51.100.1'],
  ['::ffff:198.51.100.1', '198.51.100.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['user_ann', undefined],
  ['', undefined],
])('[ADDR.3] counts %j under the key %j', (ip, key) => {
  expect(addressKey(ip)).toBe(key)
})

test.each<[string, boolean]>([
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['::1%lo', true],
  ['128.0.0.1', false],
  ['10.0.0.1', false],
  ['0.0.0.0', false],
  ['::', false],
  ['localhost', false],
  ['127.1', false],
  ['0x7f.0.0.1', false],
  ['2130706433', false],
  ['', false],
])('[TLS.3] tells whether %j is this machine: %j', (ip, expected) => {
  expect(isLoopback(ip)).toBe(expected)
})
