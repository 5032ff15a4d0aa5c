// Draws /openapi.json. Text only ever becomes text, never markup.

const description = await (await fetch("/openapi.json")).json();

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const anchor = (text) => text.replace(/[^A-Za-z0-9]+/g, "-").replace(/^-|-$/g, "");

function table(heads, rows) {
  const row = (tag, cells) => make("tr", {}, ...cells.map((cell) => make(tag, {}, cell)));
  const body = make("tbody", {}, ...rows.map((cells) => row("td", cells)));
  const whole = make("table", {}, make("thead", {}, row("th", heads)), body);
  return make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": heads.join(", ") }, whole);
}

// A schema in a few words; named ones as links.
function brief(schema) {
  if (schema.$ref) {
    const name = schema.$ref.split("/").pop();
    return make("a", { href: `#schema-${name}` }, name);
  }
  const join = (schemas, word) => {
    const parts = schemas.flatMap((one, n) => (n ? [` ${word} `, brief(one)] : [brief(one)]));
    return make("span", {}, ...parts);
  };
  if (schema.anyOf) return join(schema.anyOf, "or");
  if ("const" in schema) return make("code", {}, JSON.stringify(schema.const));
  if (schema.enum) return make("span", {}, schema.enum.map((one) => JSON.stringify(one)).join(", "));
  if (schema.type === "array" && schema.items) return make("span", {}, "list of ", brief(schema.items));
  if (schema.type === "object" && schema.properties) {
    return make("span", {}, "{", Object.keys(schema.properties).join(", "), "}");
  }
  if (schema.type === "object" && schema.additionalProperties) {
    return make("span", {}, "for each name ", brief(schema.additionalProperties));
  }
  const type = [schema.type].flat().join(" or ");
  return make("span", {}, schema.format ? `${type} (${schema.format})` : type);
}

function contents(content) {
  return table(
    ["Content type", "Schema"],
    Object.entries(content).map(([kind, { schema }]) => [make("code", {}, kind), brief(schema)]),
  );
}

function replies(responses) {
  const rows = Object.entries(responses).map(([status, answer]) => {
    const schemas = Object.values(answer.content ?? {}).map(({ schema }) => brief(schema));
    const cell = make("span", {}, ...schemas.flatMap((one, n) => (n ? [", ", one] : [one])));
    const headers = Object.keys(answer.headers ?? {}).join(", ");
    return [status, answer.description, cell, headers];
  });
  return table(["Status", "When", "Schema", "Headers"], rows);
}

function operation(path, method, item) {
  const id = `${method}-${anchor(path)}`;
  const title = make(
    "h3",
    { id },
    make("span", { class: `method ${method}` }, method.toUpperCase()),
    " ",
    make("code", {}, path),
  );
  const section = make("section", { "aria-labelledby": id }, title, make("p", {}, `${item.summary}.`));
  if (item.security) section.append(make("p", { class: "quiet" }, "Needs Authorization: Bearer TOKEN."));
  if (item.requestBody) section.append(make("h4", {}, "Body"), contents(item.requestBody.content));
  section.append(make("h4", {}, "Replies"), replies(item.responses));
  return section;
}

function named(name, schema) {
  const section = make("section", {}, make("h3", { id: `schema-${name}` }, name));
  const needed = new Set(schema.required ?? []);
  const rows = Object.entries(schema.properties ?? {}).map(([property, one]) => [
    make("code", {}, property),
    brief(one),
    needed.has(property) ? "always" : "optional",
    one.description ?? "",
  ]);
  section.append(table(["Name", "Type", "Given", "Meaning"], rows));
  return section;
}

const operations = Object.entries(description.paths).flatMap(([path, item]) =>
  ["get", "post"].filter((method) => item[method]).map((method) => [path, method, item[method]]),
);
document.getElementById("intro").textContent =
  `${description.info.title} ${description.info.version}. ${description.info.summary} ` +
  description.info.description;
document.getElementById("contents").append(
  make(
    "ul",
    {},
    ...operations.map(([path, method, item]) =>
      make(
        "li",
        {},
        make("span", { class: `method ${method}` }, method.toUpperCase()),
        " ",
        make("a", { href: `#${method}-${anchor(path)}` }, path === "/" ? "/ (the page)" : path),
        make("span", { class: "quiet" }, ` ${item.summary}`),
      ),
    ),
  ),
);
document.getElementById("operations").append(
  make("h2", {}, "Requests"),
  ...operations.map((one) => operation(...one)),
);
const schemas = document.getElementById("schemas");
schemas.append(
  ...Object.entries(description.components.schemas).map(([name, schema]) => named(name, schema)),
);
schemas.hidden = false;
