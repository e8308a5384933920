/** How many bytes of bodies, ciphertexts and responses are accepted, handled as a whole, or handled at a time. */
const KIB = 1024;
const MIB = 1024 * KIB;

/** The largest JSON body: many times what a client sends. */
export const MAX_JSON_BYTES = 2 * MIB;
/** The largest JSON body that an attestation covers, and the largest payload of an upload. */
export const MAX_PAYLOAD_BYTES = MIB;
/** What the payload and the framing may add to the largest backup. */
export const UPLOAD_OVERHEAD_BYTES = MIB;
/** The longest headers of one part of an upload: far more than any client sends, and little memory. */
export const MAX_PART_HEADER_BYTES = 16 * KIB;

/** Up to this size a body or a ciphertext is read or written in one step: a thread hop or a stream costs more. */
export const SMALL_BYTES = 64 * KIB;
/** Up to this size a ciphertext and its response stay in memory: they need no file and no permit. */
export const IN_MEMORY_BYTES = 256 * KIB;

/** How much is searched for a boundary at a time, which takes well under the 2 ms for which the event loop may be blocked. */
export const STEP_BYTES = 192 * KIB;
/** How much is read, hashed and written at a time, for the same reason. A multiple of 3: its base64 needs no padding. */
export const PIECE_BYTES = 192 * KIB;
/** How much is written to a response file at a time: each write costs a change of threads. */
export const BLOCK_BYTES = 256 * KIB;
/** Shorter pieces of a part are joined, since each alone would take much more memory than its bytes. */
export const SHORT_PIECE_BYTES = 16 * KIB;
/** A client that sends less than this while the service waits for it makes no progress. */
export const PROGRESS_BYTES = 16 * KIB;

/** What the runtime reads ahead of a body that is not read, as measured. */
export const READ_AHEAD_BYTES = MIB;
/** What an upload takes that is passed on as it arrives: a few pieces between socket and store, as measured. */
export const STREAMED_BYTES = 4 * MIB;
/** The most that is discarded of a body whose response is sent early: more than the largest upload. */
export const MAX_DISCARDED_BYTES = 32 * MIB;
