/**
 * A profile as a flame graph: what runs on top of what called it, as wide as it took (B. Gregg, "The Flame
 * Graph", CACM 59(6)). One colour per room of the project; names and shares under the mouse.
 */
import { escaped } from '../kit/results/svg.ts';
import type { Frame } from './cpu-profile.ts';

const WIDTH = 1_200;
const ROW = 16;
const TITLE = 30;
/** Of the whole: what is narrower is not drawn. */
const SHARE_MIN = 0.0025;
const CHARACTER = 6.2;
const LEGEND_COLUMN = 170;

interface Box {
  readonly frame: Frame;
  readonly depth: number;
  readonly fromUs: number;
}

export function flameGraph(title: string, root: Frame): string {
  const boxes = boxesOf(root);
  const depth = Math.max(...boxes.map((box) => box.depth));
  const rooms = roomsOf(root);
  const columns = Math.floor(WIDTH / LEGEND_COLUMN);
  const legendTop = TITLE + (depth + 1) * ROW + 12;
  const height = legendTop + Math.ceil(rooms.length / columns) * 18 + 6;
  const colours = new Map(rooms.map(({ room }, index) => [room, colourOf(index)]));
  const legend = rooms.map(({ room, selfUs }, index) => {
    const x = 8 + (index % columns) * LEGEND_COLUMN;
    const y = legendTop + Math.floor(index / columns) * 18;
    return [
      `<rect x="${x}" y="${y}" width="12" height="12" fill="${colours.get(room)}"/>`,
      `<text x="${x + 17}" y="${y + 10}">${escaped(room)} ${share(selfUs, root)}</text>`,
    ].join('');
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="11">`,
    '<rect width="100%" height="100%" fill="white"/>',
    `<text x="8" y="20" font-size="15">${escaped(title)}</text>`,
    ...boxes.map((box) => drawn(box, root, depth, colours.get(roomOf(box.frame))!)),
    ...legend,
    '</svg>\n',
  ].join('\n');
}

function boxesOf(root: Frame): Box[] {
  const boxes: Box[] = [];
  const add = (frame: Frame, depth: number, fromUs: number) => {
    if (frame.totalUs < SHARE_MIN * root.totalUs) return;
    boxes.push({ frame, depth, fromUs });
    let at = fromUs;
    for (const child of frame.children) {
      add(child, depth + 1, at);
      at += child.totalUs;
    }
  };
  add(root, 0, 0);
  return boxes;
}

function drawn({ frame, depth, fromUs }: Box, root: Frame, depths: number, colour: string): string {
  const scale = WIDTH / root.totalUs;
  const x = fromUs * scale;
  const width = frame.totalUs * scale;
  const y = TITLE + (depths - depth) * ROW;
  const room = Math.floor((width - 4) / CHARACTER);
  const text = room < 3 ? '' : frame.name.slice(0, room);
  const about = `${frame.name} ${frame.file} ${share(frame.totalUs, root)}, itself ${share(frame.selfUs, root)}`;
  return [
    `<g><title>${escaped(about)}</title>`,
    `<rect x="${x.toFixed(1)}" y="${y}" width="${Math.max(0.5, width - 0.5).toFixed(1)}" height="${ROW - 1}" fill="${colour}"/>`,
    text === '' ? '' : `<text x="${(x + 3).toFixed(1)}" y="${y + 11}">${escaped(text)}</text>`,
    '</g>',
  ].join('');
}

/** By the time that was spent in them, most first. */
export function roomsOf(
  root: Frame,
): readonly { readonly room: string; readonly selfUs: number }[] {
  const rooms = new Map<string, number>();
  const add = (frame: Frame) => {
    const room = roomOf(frame);
    rooms.set(room, (rooms.get(room) ?? 0) + frame.selfUs);
    frame.children.forEach(add);
  };
  add(root);
  return [...rooms].map(([room, selfUs]) => ({ room, selfUs })).sort((a, b) => b.selfUs - a.selfUs);
}

/** The folder; a package; node's own; or what V8 says of itself: (program), (garbage collector). */
function roomOf({ name, file }: Frame): string {
  if (file === '') return name.startsWith('(') && name !== '(anonymous)' ? name : 'V8 and native';
  if (file.startsWith('node:')) return 'node';
  const parts = file.split(/[\\/]/);
  const isPackage = parts[0] === 'node_modules';
  return isPackage ? parts.slice(1, parts[1]?.startsWith('@') ? 3 : 2).join('/') : `${parts[0]}/`;
}

function colourOf(index: number): string {
  return `hsl(${Math.round(index * 137.5) % 360} 55% 75%)`;
}

function share(us: number, root: Frame): string {
  return `${((us / root.totalUs) * 100).toFixed(1)} %`;
}
