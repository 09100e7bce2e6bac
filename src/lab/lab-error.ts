/** A lab can't be made, or is not what was taken for granted. The message is for the person who asked. */
export class LabError extends Error {
  override readonly name = "LabError";
}
