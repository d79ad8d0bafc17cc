// Tests of useListPage: filters in the URL.
import { describe, expect, it } from "vitest";
import { readQuery, writeQuery } from "@/composables/useListPage";

const EMPTY = { name: "", card_state: "" };

describe("a list's address", () => {
  it("comes back as it was written", () => {
    const query = writeQuery({ name: "王", card_state: "none" }, 3, 50);

    expect(readQuery(query, EMPTY)).toEqual({ filters: { name: "王", card_state: "none" }, page: 3, size: 50 });
  });

  it("is short where nothing was chosen", () => {
    expect(writeQuery({ name: " ", card_state: "" }, 1, 20)).toEqual({});
  });

  it("that makes no sense gives the first page", () => {
    const query = { page: "-4", size: "7", name: ["a", "b"], foreign: "x" };

    expect(readQuery(query, EMPTY)).toEqual({ filters: EMPTY, page: 1, size: 20 });
  });
});
