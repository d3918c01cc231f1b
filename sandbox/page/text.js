// A message's text as DOM nodes, never as HTML: Telegram's entities (offsets in UTF-16 units, as JavaScript's own)
// and WhatsApp's marks.

const TAGS = {
  bold: "b", italic: "i", underline: "u", strikethrough: "s", code: "code", pre: "pre",
  blockquote: "blockquote", expandable_blockquote: "blockquote",
};
const URLS = /\bhttps?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]}]/g;

export function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

function link(url, text) {
  return /^https?:/.test(url)
    ? element("a", { href: url, target: "_blank", rel: "noopener noreferrer", textContent: text })
    : document.createTextNode(text);
}

function linked(text) {
  const nodes = [];
  let end = 0;
  for (const found of text.matchAll(URLS)) {
    nodes.push(text.slice(end, found.index), link(found[0], found[0]));
    end = found.index + found[0].length;
  }
  nodes.push(text.slice(end));
  return nodes;
}

function wrapped(entity, nodes) {
  if (entity.type === "text_link" && /^https?:/.test(entity.url)) {
    return element("a", { href: entity.url, target: "_blank", rel: "noopener noreferrer" }, ...nodes);
  }
  if (entity.type === "spoiler") return element("span", { className: "spoiler" }, ...nodes);
  return TAGS[entity.type] ? element(TAGS[entity.type], {}, ...nodes) : element("span", {}, ...nodes);
}

// Entities nest and never cross, so each is drawn with those inside it.
export function telegramText(text, entities, from = 0, to = text.length) {
  const nodes = [];
  let position = from;
  for (let i = 0; i < entities.length; i++) {
    const entity = entities[i];
    if (entity.offset < position) continue;
    const end = Math.min(entity.offset + entity.length, to);
    const inside = entities.slice(i + 1).filter((e) => e.offset + e.length <= end);
    nodes.push(...linked(text.slice(position, entity.offset)));
    nodes.push(wrapped(entity, telegramText(text, inside, entity.offset, end)));
    position = end;
  }
  nodes.push(...linked(text.slice(position, to)));
  return nodes;
}

const MARKS = [
  [/```([^`]+)```/, "code"], [/`([^`\n]+)`/, "code"],
  [/(?<![\p{L}\p{N}*])\*(?=\S)([^*\n]*\S)\*(?![\p{L}\p{N}*])/u, "b"],
  [/(?<![\p{L}\p{N}_])_(?=\S)([^_\n]*\S)_(?![\p{L}\p{N}_])/u, "i"],
  [/(?<![\p{L}\p{N}~])~(?=\S)([^~\n]*\S)~(?![\p{L}\p{N}~])/u, "s"],
];

export function whatsappText(text) {
  let first = null;
  for (const [pattern, tag] of MARKS) {
    const found = pattern.exec(text);
    if (found && (!first || found.index < first.found.index)) first = { found, tag };
  }
  if (!first) return linked(text);
  const { found, tag } = first;
  const inside = tag === "code" ? [found[1]] : whatsappText(found[1]);
  const rest = text.slice(found.index + found[0].length);
  return [...linked(text.slice(0, found.index)), element(tag, {}, ...inside), ...whatsappText(rest)];
}
