// Tests of document numbers, by the examples that the server is tested with.
import { describe, expect, it } from "vitest";
import examples from "@/locales/documents.examples.json";
import { readDocumentNumber, type DocumentType } from "@/locales/documents";

const TODAY = "2026-11-25";

describe("a document's number", () => {
  it.each(examples)("$document_type $number is judged as the system check judges it", (example) => {
    const { finding, facts } = readDocumentNumber(example.document_type as DocumentType, example.number, TODAY);

    expect({ code: finding?.code, message: finding?.message }).toEqual({ code: example.code, message: example.message });
    if (!finding) {
      expect([facts.birthDate ?? null, facts.sex ?? null]).toEqual([example.birth_date, example.sex]);
    }
  });
});
