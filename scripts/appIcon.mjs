#!/usr/bin/env node
/*
 * Draws launchd/AppIcon.icns, the icon of Edge Agent.app: a bubble with three dots, in 32, 128 and 256 points. The format:
 * "icns", the length, and for each size its type, its length and a PNG (Apple, Icon Services).
 */
import { writeFileSync } from 'node:fs';
import { deflateSync } from 'node:zlib';

/** By the types that hold a PNG. */
const SIZES = { ic11: 32, ic07: 128, ic08: 256 };
const GREEN = [52, 168, 83];
const WHITE = [255, 255, 255];
/** Each pixel is the mean of so many squared. */
const SAMPLES = 4;

/** What is at a place of the unit square: a colour, or nothing. */
function colourAt(x, y) {
  if (!inRounded(x, y, { left: 0.06, top: 0.06, right: 0.94, bottom: 0.94, radius: 0.2 })) return undefined;
  const dot = [0.33, 0.5, 0.67].some((centre) => Math.hypot(x - centre, y - 0.45) < 0.055);
  const bubble = inRounded(x, y, { left: 0.18, top: 0.24, right: 0.82, bottom: 0.66, radius: 0.19 });
  const tail = y > 0.6 && y < 0.8 && x > 0.3 && x < 0.3 + (0.8 - y) * 0.9;
  return (bubble || tail) && !dot ? WHITE : GREEN;
}

function inRounded(x, y, { left, top, right, bottom, radius }) {
  if (x < left || x > right || y < top || y > bottom) return false;
  const dx = Math.max(left + radius - x, 0, x - (right - radius));
  const dy = Math.max(top + radius - y, 0, y - (bottom - radius));
  return Math.hypot(dx, dy) <= radius;
}

function pixel(column, row, size) {
  const found = Array.from({ length: SAMPLES ** 2 }, (_, index) =>
    colourAt(
      (column + ((index % SAMPLES) + 0.5) / SAMPLES) / size,
      (row + (Math.floor(index / SAMPLES) + 0.5) / SAMPLES) / size,
    ),
  ).filter((colour) => colour !== undefined);
  const mean = [0, 1, 2].map((part) =>
    Math.round(found.reduce((sum, colour) => sum + colour[part], 0) / Math.max(1, found.length)),
  );
  return [...mean, Math.round((255 * found.length) / SAMPLES ** 2)];
}

function png(size) {
  const rows = Array.from({ length: size }, (_, row) => [
    0,
    ...Array.from({ length: size }, (_cell, column) => pixel(column, row, size)).flat(),
  ]);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  header.set([8, 6], 8);
  const data = deflateSync(Buffer.from(rows.flat()), { level: 9 });
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', data),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type, data) {
  const named = Buffer.concat([Buffer.from(type), data]);
  return Buffer.concat([word(data.length), named, word(crc(named))]);
}

/** Of PNG. */
function crc(bytes) {
  let value = ~0;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit += 1) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  }
  return ~value >>> 0;
}

function word(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

const icons = Object.entries(SIZES).map(([type, size]) => {
  const image = png(size);
  return Buffer.concat([Buffer.from(type), word(image.length + 8), image]);
});
const all = Buffer.concat(icons);
const path = new URL('../launchd/AppIcon.icns', import.meta.url);
writeFileSync(path, Buffer.concat([Buffer.from('icns'), word(all.length + 8), all]));
console.log(`launchd/AppIcon.icns: ${all.length + 8} bytes`);
