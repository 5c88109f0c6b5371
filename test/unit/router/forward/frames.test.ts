// The frame follower: wherever the chunks are cut, it knows where a frame ends.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { closeFrame, FrameFollower } from '../../../../router/forward/frames.ts';

type Frame = { first: number; length: number; form: 7 | 16 | 64; masked: boolean };

/** Written from RFC 6455, section 5.2, on its own. The form may be longer than the length needs. */
function bytesOf({ first, length, form, masked }: Frame): Buffer {
  const mask = masked ? 0x80 : 0;
  const extended = Buffer.alloc(form === 7 ? 0 : form / 8);
  if (form === 16) extended.writeUInt16BE(length);
  if (form === 64) extended.writeBigUInt64BE(BigInt(length));
  const second = mask + (form === 7 ? length : form === 16 ? 126 : 127);
  // A payload that looks like the heads of frames.
  return Buffer.concat([
    Buffer.from([first, second]),
    extended,
    Buffer.alloc(masked ? 4 : 0, 0xff),
    Buffer.alloc(length, '\x82\x7f'),
  ]);
}

const frame: fc.Arbitrary<Frame> = fc
  .record({
    first: fc.integer({ min: 0, max: 255 }),
    length: fc.oneof(fc.integer({ min: 0, max: 130 }), fc.integer({ min: 65_530, max: 70_000 })),
    masked: fc.boolean(),
    form: fc.constantFrom(7 as const, 16 as const, 64 as const),
  })
  .map((drawn): Frame => {
    if (drawn.length > 65_535) return { ...drawn, form: 64 };
    return drawn.length > 125 && drawn.form === 7 ? { ...drawn, form: 16 } : drawn;
  });

function chunksOf(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((from, i) => bytes.subarray(from, at[i] ?? bytes.length));
}

const cuts = fc.array(fc.nat(), { maxLength: 40 });

test('it is between frames exactly where one has ended', () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 6 }), cuts, (frames, cuts) => {
      const follower = new FrameFollower();
      const ends = new Set([0]);
      let end = 0;
      for (const one of frames) ends.add((end += bytesOf(one).length));
      let seen = 0;
      for (const chunk of chunksOf(Buffer.concat(frames.map(bytesOf)), cuts)) {
        follower.follow(chunk);
        seen += chunk.length;
        expect(follower.between).toBe(ends.has(seen));
      }
    }),
  );
});

test('it stops at the first end, and is then between', () => {
  fc.assert(
    fc.property(fc.array(frame, { minLength: 1, maxLength: 4 }), fc.nat(), (frames, cut) => {
      const [first, ...rest] = frames.map(bytesOf);
      if (first === undefined) return;
      const follower = new FrameFollower();
      const begun = cut % first.length;
      follower.follow(first.subarray(0, begun));
      const left = Buffer.concat([first.subarray(begun), ...rest]);
      expect(follower.toNextEnd(left, 0)).toBe(first.length - begun);
      expect(follower.between).toBe(true);
    }),
  );
});

test('whatever bytes come, one at a time or at once, it comes to the same', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const [whole, single] = [new FrameFollower(), new FrameFollower()];
      whole.follow(bytes);
      for (const byte of bytes) single.follow(Uint8Array.of(byte));
      expect(whole.between).toBe(single.between);
    }),
  );
});

test.each(['ffffffffffffffff', '8000000000000000', '0020000000000001'])(
  'a frame that claims 0x%s bytes is never over',
  (length) => {
    const follower = new FrameFollower();
    follower.follow(Buffer.from(`827f${length}`, 'hex'));
    for (let i = 0; i < 16; i += 1) follower.follow(Buffer.alloc(1_048_576));
    expect(follower.between).toBe(false);
  },
);

test('a close is an unmasked frame with nothing but its code', () => {
  const frame = closeFrame(1012);
  expect(frame.toString('hex')).toBe('880203f4');
  const follower = new FrameFollower();
  follower.follow(frame);
  expect(follower.between).toBe(true);
});
