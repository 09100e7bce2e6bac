/** The pages for people: what they refer to exists, every page can be found, and nothing of the machine they were written on is in them. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

const root = new URL("../../", import.meta.url);
const pages = ["README.md", "CHANGELOG.md", ...readdirSync(new URL("docs", root)).map((name) => `docs/${name}`)].filter(
  (path) => path.endsWith(".md"),
);

function textOf(path: string): string {
  return readFileSync(new URL(path, root), "utf8");
}

/** Links look the same within a block of code, but are none. */
function proseOf(path: string): string {
  return textOf(path).replaceAll(/^```.*?^```/gms, "");
}

function linksOf(path: string): string[] {
  return [...proseOf(path).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link);
}

/** As GitHub makes them of headings. */
function anchorsOf(path: string): string[] {
  return [...proseOf(path).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

/** Why a link leads nowhere. */
function fault(page: string, link: string): string | undefined {
  const [target = "", anchor] = link.split("#");
  const path = target === "" ? page : new URL(target, new URL(page, root)).href.slice(root.href.length);
  if (!existsSync(new URL(path, root))) return `${link}: no such file`;
  if (anchor !== undefined && !anchorsOf(path).includes(anchor)) return `${link}: no such heading`;
  return undefined;
}

describe.each(pages)("%s", (page) => {
  test("has links that lead somewhere", () => {
    const relative = linksOf(page).filter((link) => !/^[a-z]+:/.test(link));
    expect(relative.map((link) => fault(page, link)).filter((problem) => problem !== undefined)).toEqual([]);
  });

  test("names files of this project that exist", () => {
    const named = [...textOf(page).matchAll(/(?<![\w./-])(?:src|test|exabgp|docs)\/[\w./-]*\w/g)].map(([path]) => path);
    // Words in capitals stand for something.
    const meant = named.filter((path) => !/[A-Z]{2}/.test(path) || existsSync(new URL(path, root)));
    expect(meant.filter((path) => !existsSync(new URL(path, root)))).toEqual([]);
  });

  test("says nothing of the machine it was written on, nor where packages come from", () => {
    const text = textOf(page);
    expect(text.match(/\/(?:work|home|root|Users)\/\w+/g)).toBeNull();
    expect(text.match(/\b(?:registry|mirror|proxy)\.[\w-]+\.\w+/gi)).toBeNull();
    const hosts = [...text.matchAll(/https?:\/\/([\w.-]+)/g)].map(([, host]) => host);
    expect(hosts.filter((host) => host !== "localhost")).toEqual([]);
  });
});

test("every page is reached from the README", () => {
  const reached = new Set(["README.md"]);
  for (const page of reached) {
    for (const link of linksOf(page)) {
      const path = new URL(link, new URL(page, root)).pathname.slice(root.pathname.length);
      if (pages.includes(path)) reached.add(path);
    }
  }
  expect(pages.filter((page) => !reached.has(page))).toEqual([]);
});
