/** A Dockerfile as its steps, for tests: no image can be built where no image can be pulled. */

/** `{ image: 'node:20', name: 'build', steps: [{ keyword: 'RUN', text: 'npm ci' }] }` */
export interface Stage {
  readonly image: string;
  readonly name: string | undefined;
  readonly steps: readonly { readonly keyword: string; readonly text: string }[];
}

/** The stages in their order. Throws where a line is none of what these files use. */
export function parseDockerfile(text: string): readonly Stage[] {
  const stages: { image: string; name: string | undefined; steps: { keyword: string; text: string }[] }[] = [];
  const lines = text
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n');
  for (const line of lines.filter((one) => one.trim() !== '')) {
    const [, keyword = '', rest = ''] = /^([A-Z]+)\s+(.+)$/.exec(line.trim()) ?? [];
    const [, image = '', name] = /^(\S+)(?:\s+AS\s+(\S+))?$/.exec(rest) ?? [];
    if (keyword === 'FROM') stages.push({ image, name, steps: [] });
    else if (keyword === '' || stages.length === 0) throw new Error(`Not a step: ${line}`);
    else stages.at(-1)?.steps.push({ keyword, text: rest });
  }
  return stages;
}
