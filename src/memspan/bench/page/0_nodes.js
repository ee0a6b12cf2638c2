// Nodes made of their parts: a text given as a part stays text, whatever is in it.
const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, kids) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    else if (name === "vars")
      for (const [name_, value_] of Object.entries(value)) node.style.setProperty(name_, value_);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...kids.flat(Infinity).filter((kid) => kid !== null && kid !== undefined && kid !== false));
  return node;
}
const h = (tag, attributes, ...kids) => fill(document.createElement(tag), attributes, kids); // text stays text
const s = (tag, attributes, ...kids) => fill(document.createElementNS(SVG, tag), attributes, kids);
