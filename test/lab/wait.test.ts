import { expect, test } from "vitest";
import { waitFor } from "../../src/lab/wait.ts";

const soon = { deadlineMs: 10_000, what: "the answer", intervalMs: 1 };

test("waiting ends with the first answer that is one; zero and the empty text are", async () => {
  const answers = [undefined, false, 0, 1] as const;
  let asked = 0;
  expect(await waitFor(() => answers[asked++], soon)).toBe(0);
  expect(await waitFor(async () => "", soon)).toBe("");
});

test("an error means not yet", async () => {
  let asked = 0;
  const answer = await waitFor(() => {
    asked += 1;
    if (asked < 3) throw new Error("not yet");
    return asked;
  }, soon);
  expect(answer).toBe(3);
});

test("at the deadline it is told what was waited for, and what the last try said", async () => {
  const refused = new Error("refused");
  const waiting = waitFor(() => Promise.reject(refused), { ...soon, deadlineMs: 20 });
  await expect(waiting).rejects.toMatchObject({ message: "waited 0.02 s for the answer", cause: refused });
});

test("a signal ends the waiting", async () => {
  const abort = new AbortController();
  const waiting = waitFor(() => abort.abort(new Error("interrupted")), { ...soon, signal: abort.signal });
  await expect(waiting).rejects.toThrow();
});
