#!/usr/bin/env node
/*
 * Makes a release, and publishes nothing: `npm run release -- 0.2.0`. It writes the version and the changelog, and puts into
 * `release/` the tarball, its checksum and the Homebrew formula. All of that is done in a copy of what is committed; only when it
 * is complete are the changed files put back. With `--dry-run` they are not, and everything else is as it would be.
 *
 *   --url <base>      where the tarball will be; the formula names it (default: the releases of `repository` in package.json)
 *   --node <version>  the Node of nodejs.org that the formula brings (default: the newest 22)
 *   --shasums <file>  its SHASUMS256.txt; else it is fetched from nodejs.org
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const NODE = '22.23.2';
const FORMULA = join('packaging', 'homebrew', 'edge-agent.rb');
/** The changelog's heading for what is not released yet. */
const UNRELEASED = '## [Unreleased]';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'dry-run': { type: 'boolean', default: false },
    url: { type: 'string' },
    node: { type: 'string', default: NODE },
    shasums: { type: 'string' },
  },
});
const root = process.cwd();
const inRoot = (...args) => execFileSync('git', args, { cwd: root, encoding: 'utf8' });

try {
  await release(positionals[0]);
} catch (error) {
  console.error(`release: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}

async function release(version) {
  const before = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;
  requireNewer(version, before);
  const dirty = inRoot('status', '--porcelain').trim();
  if (dirty !== '' && !options['dry-run'])
    throw new Error(`there are changes that are not committed:\n${dirty}`);
  const copy = mkdtempSync(join(tmpdir(), 'edge-agent-release-'));
  try {
    execFileSync('sh', ['-c', 'git archive HEAD | tar -x -C "$1"', 'sh', copy], { cwd: root });
    if (existsSync(join(root, 'node_modules')))
      symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
    execFileSync('npm', ['version', version, '--no-git-tag-version', '--allow-same-version'], {
      cwd: copy,
      stdio: 'ignore',
    });
    const changelog = join(copy, 'CHANGELOG.md');
    const today = new Date().toISOString().slice(0, 10);
    writeFileSync(changelog, nextChangelog(readFileSync(changelog, 'utf8'), version, today));

    const target = join(root, 'release');
    mkdirSync(target, { recursive: true });
    const [{ filename }] = JSON.parse(
      execFileSync('npm', ['pack', '--json', '--pack-destination', target], {
        cwd: copy,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
      }),
    );
    const sha256 = createHash('sha256')
      .update(readFileSync(join(target, filename)))
      .digest('hex');
    writeFileSync(join(target, `${filename}.sha256`), `${sha256}  ${filename}\n`);
    const url = `${options.url ?? releasesOf(copy, version)}/${filename}`;
    const formula = filled(readFileSync(join(copy, FORMULA), 'utf8'), {
      URL: url,
      SHA256: sha256,
      ...(await nodeValues()),
    });
    writeFileSync(join(target, 'edge-agent.rb'), formula);

    if (!options['dry-run']) {
      for (const file of ['package.json', 'package-lock.json', 'CHANGELOG.md'].filter((name) =>
        existsSync(join(copy, name)),
      ))
        copyFileSync(join(copy, file), join(root, file));
    }
    tell(version, filename, url);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

function requireNewer(version, before) {
  if (!/^\d+\.\d+\.\d+$/.test(version ?? ''))
    throw new Error('say which version, like: npm run release -- 0.2.0');
  const [ours, theirs] = [version, before].map((text) => text.split('.').map(Number));
  const at = [0, 1, 2].find((part) => ours[part] !== theirs[part]);
  // The first release has the version that was written beforehand.
  if (at !== undefined && ours[at] < theirs[at]) throw new Error(`${version} is older than ${before}`);
}

/** What is new gets the version and the day, below a new empty heading. */
function nextChangelog(text, version, day) {
  const [before, after] = text.split(`${UNRELEASED}\n`);
  if (after === undefined) throw new Error(`CHANGELOG.md has no ${UNRELEASED}`);
  if (text.includes(`## [${version}]`)) throw new Error(`CHANGELOG.md has ${version} already`);
  const [news = ''] = after.split(/^## /m);
  if (!/^- /m.test(news)) throw new Error(`CHANGELOG.md has nothing below ${UNRELEASED}`);
  return `${before}${UNRELEASED}\n\n## [${version}] - ${day}\n${after}`;
}

function releasesOf(copy, version) {
  const { repository } = JSON.parse(readFileSync(join(copy, 'package.json'), 'utf8'));
  const url = typeof repository === 'string' ? repository : repository?.url;
  const home = url?.replace(/^git\+/, '').replace(/\.git$/, '');
  if (home === undefined)
    throw new Error('package.json names no repository: say where the tarball will be, with --url');
  return `${home}/releases/download/v${version}`;
}

/** The checksums of Node for both kinds of Mac. */
async function nodeValues() {
  const version = options.node;
  const sums =
    options.shasums === undefined
      ? await fetched(`https://nodejs.org/dist/v${version}/SHASUMS256.txt`)
      : readFileSync(options.shasums, 'utf8');
  const sumOf = (architecture) => {
    const file = `node-v${version}-darwin-${architecture}.tar.gz`;
    const line = sums.split('\n').find((one) => one.endsWith(`  ${file}`));
    if (line === undefined) throw new Error(`the checksums of Node ${version} have no ${file}`);
    return line.slice(0, 64);
  };
  return { NODE: version, NODE_ARM_SHA256: sumOf('arm64'), NODE_INTEL_SHA256: sumOf('x64') };
}

async function fetched(url) {
  const response = await fetch(url, { signal: AbortSignal.timeout(30_000) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return response.text();
}

function filled(template, values) {
  return template.replaceAll(/@([A-Z0-9_]+)@/g, (placeholder, name) => {
    if (values[name] === undefined) throw new Error(`the formula has an unknown ${placeholder}`);
    return values[name];
  });
}

function tell(version, filename, url) {
  console.log(
    `release/${filename}, its checksum, and release/edge-agent.rb are made. Nothing was published.`,
  );
  if (options['dry-run']) {
    console.log('This was a dry run: version and changelog are as they were.');
    return;
  }
  console.log(
    [
      'Left to do:',
      `  npm run pack:check`,
      `  git commit -am "Release ${version}" && git tag v${version} && git push --follow-tags`,
      `  put release/${filename} and its .sha256 at ${url}`,
      '  copy release/edge-agent.rb into the Formula folder of your tap',
      `  npm publish release/${filename}`,
    ].join('\n'),
  );
}
