export interface SectionScript {
  /** The variables, in the order of their export. */
  variables: Map<string, string>
  /** Contents of file variables, by path. */
  files: Map<string, string>
  /** Where $GITLAB_ENV points; undefined on a runner that has none. */
  gitlabEnv: string | undefined
  folder: string
  notice: string | undefined
  commands: string[]
  /** CI_DEBUG_TRACE */
  trace: boolean
}

/**
 * The script that the runner gives bash for a section of a job: the variables, the lines that an earlier
 * section left in $GITLAB_ENV, and each command behind its echo. Both shells, the outer and the one that runs
 * the commands, answer SIGTERM once the command that they wait for has ended.
 */
export function sectionScript({ variables, files, gitlabEnv, folder, notice, commands, trace }: SectionScript): string {
  const lines = [...variables].map(([name, value]) => exported(name, value))
  for (const [path, content] of files) lines.push(`printf '%s' ${quoted(content)} > ${quoted(path)}`)
  if (gitlabEnv !== undefined) {
    const file = quoted(gitlabEnv)
    lines.push(exported('GITLAB_ENV', gitlabEnv), `touch ${file}`, `while read -r line; do export "$line"; done < ${file}`)
  }
  lines.push(`cd ${quoted(folder)}`)
  if (notice !== undefined) lines.push(echo(notice))
  for (const command of commands.map((each) => each.trim())) {
    const [first = '', ...more] = command.split('\n')
    lines.push(echo(`$ ${first}${more.length > 0 ? ' # collapsed multi-line command' : ''}`), command)
  }
  return [
    `trap 'exit 1' TERM`,
    ...(trace ? ['set -o xtrace'] : []),
    'set -eo pipefail',
    'set +o noclobber',
    `(trap 'exit 1' TERM; eval ${quoted(lines.join('\n'))}) < /dev/null`,
    'exit 0',
    '',
  ].join('\n')
}

function exported(name: string, value: string): string {
  return `export ${quoted(name)}=${quoted(value)}`
}

// The log shows commands in bold green.
function echo(text: string): string {
  return `echo ${quoted(`\u001b[32;1m${text}\u001b[0;m`)}`
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
