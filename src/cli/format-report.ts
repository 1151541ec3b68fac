/** The report of `tallyman check`, for people and for the tools of a Yaml repo's CI. */
import { catalogue, severityOf } from '../error/catalogue.ts';
import { printable } from '../error/printable.ts';
import { formatProblem, type Problem } from '../error/problem.ts';
import type { CheckReport } from '../pipeline/check-repo.ts';

export type RepoReport = CheckReport & { readonly repo: string };
export type ReportFormat = 'text' | 'json' | 'github' | 'sarif';

/** Names of the formats, as `--output` takes them. */
export const reportFormats: readonly ReportFormat[] = ['text', 'json', 'github', 'sarif'];

const formatters: Readonly<Record<ReportFormat, (reports: readonly RepoReport[]) => string>> = {
  text: formatText,
  json: (reports) => JSON.stringify(reports, null, 2),
  github: formatGithub,
  sarif: (reports) => JSON.stringify(toSarif(reports.flatMap((report) => report.problems)), null, 2),
};

/** The reports in the format, with a line break at the end. */
export function formatReports(reports: readonly RepoReport[], format: ReportFormat): string {
  const text = formatters[format](reports);
  return text === '' ? '' : `${text}\n`;
}

function formatText(reports: readonly RepoReport[]): string {
  const lines = reports.flatMap(({ repo, policies, problems }) => {
    const targets = policies.reduce((sum, policy) => sum + policy.targets.length, 0);
    const warnings = problems.filter(({ code }) => severityOf(code) === 'warning').length;
    const counts = [count(policies.length, 'policy', 'policies'), count(targets, 'target', 'targets')];
    const faults = [count(problems.length - warnings, 'problem', 'problems'), count(warnings, 'warning', 'warnings')];
    return [...problems.map(formatProblem), `${printable(repo)}: ${[...counts, ...faults].join(', ')}`];
  });
  return lines.join('\n');
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}

/** Source: GitHub's workflow commands, `::error file=…,line=…,col=…,title=…::message`. */
function formatGithub(reports: readonly RepoReport[]): string {
  return reports.flatMap((report) => report.problems.map(toWorkflowCommand)).join('\n');
}

function toWorkflowCommand({ code, message, remedy, place }: Problem): string {
  const properties = { file: place?.file, line: place?.line, col: place?.column, title: code };
  const written = Object.entries(properties).flatMap(([name, value]) =>
    value === undefined ? [] : `${name}=${escapeProperty(String(value))}`,
  );
  return `::${severityOf(code)} ${written.join(',')}::${escapeData(`${message}. ${remedy}`)}`;
}

function escapeData(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}

/** Source: OASIS SARIF 2.1.0. */
function toSarif(problems: readonly Problem[]): object {
  const codes = [...new Set(problems.map(({ code }) => code))].sort();
  const rules = codes.map((code) => ({ id: code, help: { text: catalogue[code].remedy } }));
  const driver = { name: 'tallyman', rules };
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [{ tool: { driver }, results: problems.map(toResult) }],
  };
}

function toResult({ code, message, remedy, place }: Problem): object {
  const region =
    place?.line === undefined
      ? {}
      : { region: { startLine: place.line, ...(place.column !== undefined && { startColumn: place.column }) } };
  const uri = place === undefined ? undefined : place.file.split('/').map(encodeURIComponent).join('/');
  const locations = uri === undefined ? [] : [{ physicalLocation: { artifactLocation: { uri }, ...region } }];
  return { ruleId: code, level: severityOf(code), message: { text: `${message}. ${remedy}` }, locations };
}
