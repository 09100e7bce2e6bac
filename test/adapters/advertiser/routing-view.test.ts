import { describe, expect, test } from "vitest";
import { announcersOf, othersAnnouncing, type RoutingView } from "../../../src/adapters/advertiser/routing-view.ts";
import { type Ipv4Prefix, parsePrefix } from "../../../src/core/wire/ipv4.ts";

const NETWORK = prefix("10.64.0.0/12");

function prefix(text: string): Ipv4Prefix {
  const parsed = parsePrefix(text);
  if (!parsed) throw new TypeError(`no prefix: ${text}`);
  return parsed;
}

function view(isComplete: boolean, ...announcers: readonly (string | undefined)[]): RoutingView {
  const paths = announcers.map((announcer) => ({
    prefix: NETWORK,
    neighbor: "10.1.0.1",
    nextHop: "10.1.0.9",
    attributes: { asPath: [], communities: [], largeCommunities: [] },
    isEcho: announcer === "ha1",
    ...(announcer === undefined ? {} : { announcer }),
  }));
  return { paths, complete: isComplete ? ["10.1.0.1"] : [], isComplete };
}

describe("who else announces, as ha1 asks it", () => {
  test.each<[string, RoutingView, readonly string[] | undefined]>([
    ["nobody, where routers tell everything", view(true), []],
    ["not known, where they don't", view(false), undefined],
    ["nobody but itself", view(true, "ha1"), []],
    ["not known, where only its own route is seen, and others may be hidden", view(false, "ha1"), undefined],
    ["somebody, however little routers tell", view(false, "ha2"), ["ha2"]],
    ["each of them once, though two routers have the route", view(true, "ha2", "ha1", "ha3", "ha2"), ["ha2", "ha3"]],
    ["strangers don't count", view(true, undefined), []],
  ])("%s", (_, seen, others) => {
    expect(othersAnnouncing(seen, NETWORK, "ha1")).toEqual(others);
  });

  test("another prefix is another matter", () => {
    expect(othersAnnouncing(view(true, "ha2"), prefix("10.64.0.1/32"), "ha1")).toEqual([]);
  });

  test("the announcers are the others and itself", () => {
    expect(announcersOf(view(true, "ha1", "ha2"), NETWORK)).toEqual(["ha1", "ha2"]);
    expect(announcersOf(view(false), NETWORK)).toBeUndefined();
  });
});
