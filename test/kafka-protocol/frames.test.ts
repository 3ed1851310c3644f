import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isMillraceError } from '../../base/errors.ts';
import { FrameSplitter } from '../../kafka/protocol/frames.ts';

function sized(frame: Uint8Array): Buffer {
  const size = Buffer.alloc(4);
  size.writeInt32BE(frame.length);
  return Buffer.concat([size, frame]);
}

test('frames come out as they went in, however the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 20 }),
      (frames, cuts) => {
        const stream = Buffer.concat(frames.map(sized));
        const splitter = new FrameSplitter(40);
        const received: Buffer[] = [];
        let at = 0;
        for (let index = 0; at < stream.length; index += 1) {
          const end = at + (cuts[index % cuts.length] as number);
          received.push(...splitter.push(stream.subarray(at, end)));
          at = end;
        }
        expect(received.map((frame) => [...frame])).toEqual(frames.map((frame) => [...frame]));
      },
    ),
  );
});

test('a frame above the limit, or of negative size, is refused when its size is known', () => {
  for (const sizeBytes of [41, -1, 2 ** 31 - 1]) {
    const size = Buffer.alloc(4);
    size.writeInt32BE(sizeBytes);
    let error: unknown;
    try {
      for (const frame of new FrameSplitter(40).push(size)) expect(frame).toBe('no frame');
    } catch (thrown) {
      error = thrown;
    }
    expect(isMillraceError(error, 'KAFKA_PROTOCOL')).toBe(true);
  }
});
