// WebSocket frames (RFC 6455, section 5.2) by their lengths alone: where one ends, so that a close can go behind it.

/** Behind the two bytes every frame begins with: the longer form of its length, 16 or 64 bits. */
const LENGTH_16 = 126;
const LENGTH_64 = 127;
const MASK_BYTES = 4;

/**
 * Follows one direction of a WebSocket, cut into chunks wherever the network pleased. Opcodes, masks and payloads are
 * the two ends' business. A length beyond 2^53 is counted roughly: nobody lives to see the end of such a frame.
 */
export class FrameFollower {
  /** Bytes of the head that are still to come; 0: the head is whole, or none has begun. */
  #headLeft = 0;
  /** Bytes of the longer length among them, and their value so far. */
  #lengthLeft = 0;
  #length = 0;
  /** Whether the byte after the first one, which tells how long the head is, is still to come. */
  #expectsSecond = false;
  #payloadLeft = 0;

  /** Whether the last frame is whole: another one may begin here. */
  get between(): boolean {
    return !this.#expectsSecond && this.#headLeft === 0 && this.#payloadLeft === 0;
  }

  /** Follows a chunk to its end. */
  follow(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length;) at = this.toNextEnd(chunk, at);
  }

  /** Follows `chunk` from `from` to the end of the frame that is there, or of the chunk; answers where that is. */
  toNextEnd(chunk: Uint8Array, from: number): number {
    let at = from;
    while (at < chunk.length) {
      if (this.#payloadLeft > 0) {
        const passed = Math.min(this.#payloadLeft, chunk.length - at);
        this.#payloadLeft -= passed;
        at += passed;
      } else {
        this.#takeHeadByte(chunk[at] ?? 0);
        at += 1;
      }
      if (this.between) break;
    }
    return at;
  }

  #takeHeadByte(byte: number): void {
    if (this.#expectsSecond) this.#takeSecond(byte);
    else if (this.#headLeft === 0) {
      this.#expectsSecond = true;
      return;
    } else {
      this.#headLeft -= 1;
      if (this.#lengthLeft > 0) {
        this.#lengthLeft -= 1;
        this.#length = this.#length * 256 + byte;
      }
    }
    if (this.#headLeft === 0) this.#payloadLeft = this.#length;
  }

  /** One bit says whether a mask follows, seven are the length or say where it is. */
  #takeSecond(byte: number): void {
    const length = byte & 0x7f;
    this.#expectsSecond = false;
    this.#lengthLeft = length === LENGTH_16 ? 2 : length === LENGTH_64 ? 8 : 0;
    this.#length = this.#lengthLeft === 0 ? length : 0;
    this.#headLeft = this.#lengthLeft + (byte >= 0x80 ? MASK_BYTES : 0);
  }
}

/** A close frame without a reason, as the server's side sends it: unmasked (RFC 6455, section 5.5.1). */
export function closeFrame(code: number): Buffer {
  return Buffer.from([0x88, 2, code >> 8, code & 0xff]);
}
