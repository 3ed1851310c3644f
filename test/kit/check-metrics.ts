/** What `promtool check metrics` would say of a scrape, in small: names, help, types, units, labels. */

const NAME = /^[a-z][a-z0-9_]*$/;
const UNITS =
  /_(seconds|bytes|ratio|total|info|records|state|tasks|seats|requests|purchases|streams|jobs)$/;
/** Node's and the process's own, made by the library. */
const NOT_OURS = /^(process|nodejs)_/;

export function checkMetrics(text: string): readonly string[] {
  const problems: string[] = [];
  const types = new Map<string, string>();
  const helped = new Set<string>();
  for (const line of text.split('\n')) {
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (kind === 'HELP' && rest !== '') helped.add(name);
    if (kind === 'TYPE') types.set(name, rest);
    if (kind !== undefined || line === '') continue;
    const sample = /^([a-zA-Z_:][\w:]*)(\{.*\})? (\S+)$/.exec(line);
    if (sample === null) problems.push(`not a sample: ${line}`);
    else if (Number.isNaN(Number(sample[3])) && !/^(nan|[+-]inf)$/i.test(sample[3]!))
      problems.push(`no number: ${line}`);
  }
  for (const [name, type] of types) {
    if (NOT_OURS.test(name)) continue;
    if (!NAME.test(name)) problems.push(`${name}: not snake case`);
    if (!helped.has(name)) problems.push(`${name}: no help`);
    if (type === 'counter' && !name.endsWith('_total'))
      problems.push(`${name}: a counter without _total`);
    if (type !== 'counter' && name.endsWith('_total'))
      problems.push(`${name}: _total and no counter`);
    if (!UNITS.test(name)) problems.push(`${name}: no unit`);
  }
  if (types.size === 0) problems.push('nothing was scraped');
  return problems;
}
