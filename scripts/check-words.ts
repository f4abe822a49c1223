/**
 * Checks for plain words: how comments and test titles begin, phrases that comments, titles, messages and pages
 * must not use, and the length of the latest commit subjects.
 *
 * Usage: node scripts/check-words.ts [ROOT]
 */
import { spawnSync } from 'node:child_process'
import { type Finding, lineAt, readSources, report, rootArgument, type Source } from './sources.ts'
import { type Passage, readPassages, readProse } from './words/read.ts'

const PRONOUNS = 'who|whom|whose|whoever|whomever|whatever'
const RELATIVE = String.raw`what|where|one(?:\s+\w+)?\s+(?:that|which|who|whom|whose|where)`
const TITLE_OPENING = opening(String.raw`["'\`]`, PRONOUNS)
const COMMENT_OPENING = opening(String.raw`(?:/\*\*?|//)[\s*]*`, `${PRONOUNS}|${RELATIVE}`)

/** Phrases to avoid, as patterns, and the usual words. */
const PHRASES: readonly (readonly [pattern: string, instead: string])[] = [
  ['who(?:m)?ever', 'the noun, such as "anyone" or "the caller"'],
  ['anew', '"again"'],
  ['puts? down', '"record" or "store"'],
  // Allows "there is none".
  ['(?<!there )(?:is|are) none', '"is invalid"'],
  ['in the turn in which', '"synchronously"'],
]
const MAX_SUBJECT_CHARS = 72
const SUBJECTS = 50

const root = rootArgument()
const sources = readSources(root, /^(?:packages|test|scripts|bench)\//, /\.m?[jt]s$/)
const pages = readSources(root, /^(?!\.)/, /\.md$/)
report(
  [
    ...sources.flatMap((source) => readPassages(source).flatMap((passage) => judge(source, passage))),
    ...pages.flatMap((page) => judge(page, readProse(page))),
    ...longSubjects(),
  ],
  `words: ${sources.length} files and ${pages.length} pages use plain words`,
)

function opening(marks: string, words: string): RegExp {
  return new RegExp(String.raw`^${marks}(?:\[[A-Z]+\.\d+\]\s*)*(${words})\b`, 'i')
}

function judge(source: Source, passage: Passage): Finding[] {
  return [...openings(source, passage), ...phrases(source, passage)]
}

function* openings({ path, text }: Source, passage: Passage): Generator<Finding> {
  const match = patternOf(passage)?.exec(passage.text)
  if (!match) return
  const line = lineAt(text, passage.start + match[0].length)
  yield { path, line, rule: 'opening', reason: `begins with "${match[1]}": begin with a verb or a noun` }
}

function patternOf({ kind }: Passage): RegExp | undefined {
  if (kind === 'comment') return COMMENT_OPENING
  return kind === 'title' ? TITLE_OPENING : undefined
}

function* phrases({ path, text }: Source, passage: Passage): Generator<Finding> {
  for (const [pattern, instead] of PHRASES) {
    // A phrase may go on in the next line of a comment.
    const phrase = new RegExp(String.raw`\b${pattern.replaceAll(' ', String.raw`(?:\s|\*|//)+`)}\b`, 'gi')
    for (const match of passage.text.matchAll(phrase)) {
      const found = match[0].replace(/[\s*/]+/g, ' ')
      const line = lineAt(text, passage.start + match.index)
      yield { path, line, rule: 'phrase', reason: `"${found}": write ${instead}` }
    }
  }
}

/** Findings about commits; none without git or a repository. */
function longSubjects(): Finding[] {
  const { status, stdout } = spawnSync('git', ['log', `-${SUBJECTS}`, '--no-merges', '--format=%s'], {
    cwd: root,
    encoding: 'utf8',
  })
  if (status !== 0) return []
  return stdout
    .split('\n')
    .filter((subject) => subject.length > MAX_SUBJECT_CHARS)
    .map((subject) => ({
      path: 'git',
      line: 1,
      rule: 'subject',
      reason: `over ${MAX_SUBJECT_CHARS} characters: ${subject}`,
    }))
}
