// Shows the OpenAPI document: operations by resource, their parameters, bodies and answers, and the schemas they name.

const METHODS = ["get", "post", "patch", "delete"];
const REF = "#/components/";

/** An element with properties and children; text stays text, so nothing in the document can become markup. */
function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.filter((child) => child !== null && child !== ""));
  return made;
}

/** Text in which `words` in backticks are code. */
function prose(text = "") {
  const parts = text.split("`");
  return element("span", {}, ...parts.map((part, at) => (at % 2 ? element("code", { textContent: part }) : part)));
}

function resolve(api, part) {
  if (!part.$ref) return part;
  const [kind, name] = part.$ref.slice(REF.length).split("/");
  return api.components[kind][name];
}

function anchor(name) {
  return `schema-${name}`;
}

/** What a value may be, in a few words; a schema with a name is a link to it. */
function typeOf(schema) {
  if (schema.$ref) {
    const name = schema.$ref.split("/").pop();
    return element("a", { href: `#${anchor(name)}`, textContent: name });
  }
  if (schema.anyOf || schema.allOf) {
    const choices = (schema.anyOf ?? schema.allOf).map(typeOf);
    return element("span", {}, ...choices.flatMap((choice, at) => (at ? [" or ", choice] : [choice])));
  }
  if (schema.type === "array") return element("span", {}, "list of ", typeOf(schema.items ?? {}));
  const type = [schema.type ?? "any"].flat().join(" or ");
  const limits = [
    schema.format,
    schema.enum?.filter((value) => value !== null).join(" | "),
    range(schema.minimum, schema.maximum, ""),
    range(schema.minLength ?? schema.minItems, schema.maxLength ?? schema.maxItems, " long"),
    schema.default === undefined ? null : `default ${JSON.stringify(schema.default)}`,
  ].filter(Boolean);
  return element("span", {}, type, limits.length ? element("span", { className: "soft", textContent: ` · ${limits.join(" · ")}` }) : "");
}

function range(low, high, unit) {
  if (low === undefined && high === undefined) return null;
  if (low === high) return `${low}${unit}`;
  return `${low ?? ""}…${high ?? ""}${unit}`;
}

function table(headings, rows) {
  const head = element("tr", {}, ...headings.map((text) => element("th", { textContent: text })));
  const body = rows.map((cells) => element("tr", {}, ...cells.map((cell) => element("td", {}, cell))));
  return element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
}

function nameCell(name, isRequired) {
  return element("code", { textContent: name, className: isRequired ? "required" : "" });
}

/** A schema's fields as a table; what has no fields is said in words. */
function fieldsOf(schema) {
  if (!schema.properties) return element("p", {}, typeOf(schema));
  const required = new Set(schema.required);
  const rows = Object.entries(schema.properties).map(([name, field]) => [
    nameCell(name, required.has(name)), typeOf(field), prose(field.description),
  ]);
  return rows.length ? table(["field", "type", ""], rows) : element("p", { className: "soft", textContent: "No fields." });
}

function parametersOf(api, operation) {
  const parameters = (operation.parameters ?? []).map((parameter) => resolve(api, parameter));
  if (!parameters.length) return "";
  const rows = parameters.map((parameter) => [
    nameCell(parameter.name, parameter.required),
    typeOf(parameter.schema),
    element("span", {}, element("span", { className: "soft", textContent: `in ${parameter.in} ` }), prose(parameter.description)),
  ]);
  return element("div", {}, element("h4", { textContent: "Parameters" }), table(["name", "type", ""], rows));
}

function contentOf(heading, content = {}) {
  const parts = Object.entries(content).flatMap(([type, { schema }]) => [
    element("p", { className: "soft" }, element("code", { textContent: type })), fieldsOf(schema),
  ]);
  return element("div", {}, element("h4", { textContent: heading }), ...parts);
}

function operationBlock(api, path, method, operation) {
  const summary = element("summary", {},
    element("span", { className: `method ${method}`, textContent: method.toUpperCase() }),
    element("code", { textContent: path }),
    element("span", { className: "soft", textContent: operation.summary }));
  const answers = Object.entries(operation.responses).map(([status, answer]) => {
    const { content } = resolve(api, answer);
    return contentOf(status === "default" ? "Otherwise" : `Answer ${status}`, content);
  });
  const block = element("details", { id: operation.operationId }, summary, element("div", {},
    element("p", {}, prose(operation.description)),
    parametersOf(api, operation),
    operation.requestBody ? contentOf("Body", operation.requestBody.content) : "",
    ...answers));
  block.dataset.words = `${method} ${path} ${operation.summary}`.toLowerCase();
  return block;
}

function resourceSection(api, tag) {
  const blocks = Object.entries(api.paths).flatMap(([path, operations]) =>
    METHODS.filter((method) => operations[method]?.tags.includes(tag.name))
      .map((method) => operationBlock(api, path, method, operations[method])));
  return element("section", {},
    element("h2", { id: tag.name, textContent: tag.name }),
    element("p", { className: "soft" }, prose(tag.description)),
    ...blocks);
}

function schemaBlock([name, schema]) {
  return element("details", { id: anchor(name) },
    element("summary", {}, element("code", { textContent: name })),
    element("div", {}, schema.description ? element("p", {}, prose(schema.description)) : "", fieldsOf(schema)));
}

/** Opens the block that the address names, as a link to a schema does. */
function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target?.tagName === "DETAILS") {
    target.open = true;
    target.scrollIntoView();
  }
}

function filter(words) {
  for (const section of document.querySelectorAll("#resources section")) {
    const blocks = [...section.querySelectorAll("details")];
    for (const block of blocks) block.hidden = !block.dataset.words.includes(words);
    section.hidden = blocks.every((block) => block.hidden);
  }
}

async function show() {
  const api = await (await fetch("/api/openapi.json")).json();
  const paragraphs = api.info.description.split("\n\n").map((text) => element("p", {}, prose(text)));
  document.getElementById("intro").append(element("h1", { textContent: api.info.title }), ...paragraphs);
  document.getElementById("resources").replaceChildren(...api.tags.map((tag) => resourceSection(api, tag)));
  document.getElementById("components").append(...Object.entries(api.components.schemas).sort().map(schemaBlock));
  document.getElementById("contents").append(...[...api.tags.map((tag) => tag.name), "schemas"].map((name) =>
    element("li", {}, element("a", { href: `#${name}`, textContent: name }))));
  document.getElementById("filter").addEventListener("input", (event) => filter(event.target.value.trim().toLowerCase()));
  addEventListener("hashchange", openTarget);
  openTarget();
}

show().catch((error) => {
  document.getElementById("resources").textContent = `The document cannot be shown: ${error.message}`;
});
