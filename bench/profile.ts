/**
 * `npm run bench:profile -- DIR NAME`: the CPU profiles in DIR, one per thread, as flame graphs
 * docs/performance/profile-NAME-THREAD.svg. How to make them: docs/performance.md.
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Frame, readProfile, threadOf } from './profile/cpu-profile.ts';
import { flameGraph, roomsOf } from './profile/flame-graph.ts';

const root = resolve(import.meta.dirname, '..');
const pictures = join(root, 'docs', 'performance');
const [directory, name] = process.argv.slice(2);
if (directory === undefined || name === undefined) {
  console.error('npm run bench:profile -- DIR NAME: DIR has *.cpuprofile, NAME is of the picture');
  process.exit(2);
}

/** Threads that hardly worked say nothing. */
const SHARE_MIN = 0.02;

const profiles = readdirSync(directory)
  .filter((file) => file.endsWith('.cpuprofile'))
  .map((file) => readProfile(join(directory, file), root));
const totalUs = profiles.reduce((sum, profile) => sum + profile.totalUs, 0);
mkdirSync(pictures, { recursive: true });
for (const profile of profiles) {
  if (profile.totalUs < SHARE_MIN * totalUs) continue;
  draw(profile, threadOf(profile));
}

function draw(profile: Frame, thread: string): void {
  const file = `profile-${name}-${thread.replace(' ', '-')}.svg`;
  const seconds = (profile.totalUs / 1e6).toFixed(1);
  writeFileSync(join(pictures, file), flameGraph(`${name}: ${thread}, ${seconds} s busy`, profile));
  console.log(`${file}: ${seconds} s busy`);
  for (const { room, selfUs } of roomsOf(profile).slice(0, 12)) {
    console.log(`  ${((selfUs / profile.totalUs) * 100).toFixed(1).padStart(5)} %  ${room}`);
  }
}
