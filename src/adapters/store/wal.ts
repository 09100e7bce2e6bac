/**
 * SQLite takes a WAL with a damaged part for one that ends there: it is how a torn last commit looks, too. Here the two are told
 * apart. File format: https://sqlite.org/fileformat2.html#the_write_ahead_log
 */
import { readFileSync } from "node:fs";
import { StoreCorruptError } from "./store-error.ts";

const HEADER_LENGTH = 32;
const FRAME_HEADER_LENGTH = 24;
const MAGIC = 0x377f0682;
const WORD = 4;

/**
 * Refuses a WAL that has lost commits which were on disk. A commit is synced before the next one is written; so of what
 * lies behind the first frame that can't be read, one commit may have been under way, but not two.
 * @throws StoreCorruptError
 */
export function refuseDamagedWal(path: string): void {
  const bytes = readFileSync(path);
  // Without a header, or with one of zeros, nothing was synced yet.
  if (bytes.length < HEADER_LENGTH || bytes.subarray(0, HEADER_LENGTH).every((byte) => byte === 0)) return;
  const wal = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const magic = wal.getUint32(0);
  const headerEnd = HEADER_LENGTH - 2 * WORD;
  const checksum = new Checksum(wal, magic === MAGIC);
  checksum.add(0, headerEnd);
  if ((magic & ~1) >>> 0 !== MAGIC || !checksum.isAt(headerEnd)) {
    throw new StoreCorruptError(path, "its header is damaged, and with it the newest changes are lost");
  }

  const frameLength = FRAME_HEADER_LENGTH + wal.getUint32(8);
  const hasCurrentSalt = (frame: number) =>
    wal.getUint32(frame + 8) === wal.getUint32(16) && wal.getUint32(frame + 12) === wal.getUint32(20);
  const isCommit = (frame: number) => wal.getUint32(frame + WORD) !== 0;
  let frame = HEADER_LENGTH;
  for (; frame + frameLength <= bytes.length && hasCurrentSalt(frame); frame += frameLength) {
    checksum.add(frame, frame + 2 * WORD);
    checksum.add(frame + FRAME_HEADER_LENGTH, frame + frameLength);
    if (!checksum.isAt(frame + 4 * WORD)) break;
  }
  let commitsBehind = 0;
  for (let behind = frame; behind + frameLength <= bytes.length; behind += frameLength) {
    if (hasCurrentSalt(behind) && isCommit(behind)) commitsBehind += 1;
  }
  if (commitsBehind >= 2) {
    throw new StoreCorruptError(path, `it is damaged at byte ${frame}, and later changes can't be read`);
  }
}

class Checksum {
  readonly #wal: DataView;
  readonly #isLittleEndian: boolean;
  #first = 0;
  #second = 0;

  constructor(wal: DataView, isLittleEndian: boolean) {
    this.#wal = wal;
    this.#isLittleEndian = isLittleEndian;
  }

  add(start: number, end: number): void {
    for (let offset = start; offset < end; offset += 2 * WORD) {
      this.#first = (this.#first + this.#wal.getUint32(offset, this.#isLittleEndian) + this.#second) >>> 0;
      this.#second = (this.#second + this.#wal.getUint32(offset + WORD, this.#isLittleEndian) + this.#first) >>> 0;
    }
  }

  /** Whether this is the checksum that is written down there. */
  isAt(offset: number): boolean {
    return this.#wal.getUint32(offset) === this.#first && this.#wal.getUint32(offset + WORD) === this.#second;
  }
}
