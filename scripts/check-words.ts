/**
 * Checks the opening words of comments and test titles, and the length of the latest commit subjects.
 *
 * Usage: node scripts/check-words.ts [ROOT]
 */
import { spawnSync } from 'node:child_process'
import { type Finding, lineAt, readSources, report, rootArgument, type Source } from './sources.ts'

const OPENERS = 'who|whom|whose|whoever|whomever|whatever'
/** A comment's first word; lines of one `//` comment after its first are not openings. */
const COMMENT = new RegExp(
  String.raw`(?:/\*\*?\s*(?:\*\s*)?|(?<!//[^\n]*\n[ \t]*)(?<=^|[\s;{(,])//\s*)(?:\[[A-Z]+\.\d+\]\s*)*(${OPENERS})\b`,
  'gim',
)
const TITLE = new RegExp(
  String.raw`\b(?:test|it|describe)[^('"\`\n]*\(\s*['"\`](?:\[[A-Z]+\.\d+\]\s*)*(${OPENERS})\b`,
  'gi',
)
const MAX_SUBJECT_CHARS = 72
const SUBJECTS = 50

const root = rootArgument()
const sources = readSources(root, /^(?:packages|test|scripts|bench)\//, /\.m?[jt]s$/)
report(
  [...sources.flatMap(openings), ...longSubjects()],
  `words: ${sources.length} files open their comments plainly`,
)

function openings({ path, text }: Source): Finding[] {
  return [...text.matchAll(COMMENT), ...text.matchAll(TITLE)].map((match) => ({
    path,
    line: lineAt(text, match.index + match[0].length),
    rule: 'opening',
    reason: `begins with "${match[1]}": begin with a verb or a noun`,
  }))
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
