// Two phones, live. The server's events are numbered within each chat: what is already known is passed over.

import { element, telegramText, whatsappText } from "/page/text.js";

const NAMES = ["Ada", "Tunde", "Mei", "Omar", "Lena", "Kofi", "Noor", "Ivan", "Sofía", "Yuki"];
const TYPING_SECONDS = 5;
const chats = new Map(); // "channel:key" → chat
const phones = new Map(); // channel → phone
let world = null; // which run of the sandbox this page shows

const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit" });

function toast(text, bad = false) {
  const note = element("p", { textContent: text, className: bad ? "bad" : "" });
  document.querySelector(".toasts").append(note);
  setTimeout(() => note.remove(), 5000);
}

async function ask(path, body, method = "POST") {
  const answer = await fetch(path, { method, body: body && JSON.stringify(body), headers: { "Content-Type": "application/json" } });
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return text ? JSON.parse(text) : null;
}

async function act(chat, action, fields = {}) {
  try {
    const told = await ask(`/${chat.channel}/_sandbox/travellers/${encodeURIComponent(chat.key)}/${action}`, fields);
    const status = told?.webhook?.status;
    if (told?.webhook && !(status >= 200 && status < 300)) toast(`The daemon did not take it: ${status ?? told.webhook.body}`, true);
    if (typeof told?.result === "string" && /^https?:/.test(told.result)) window.open(told.result, "_blank", "noopener");
  } catch (error) {
    toast(error.message, true);
  }
}

// --- what is known ---------------------------------------------------------------------------------------------

function chatOf(view) {
  const id = `${view.channel}:${view.key}`;
  if (!chats.has(id)) {
    const chat = { ...view, seen: 0, unread: 0, typing: null, rows: new Map(), log: newLog(view) };
    chats.set(id, chat);
    const phone = phones.get(view.channel);
    phone.chats.push(chat);
    if (!phone.shown) show(phone, chat);
    drawTabs(phone);
  }
  return chats.get(id);
}

function take(chat, event, live) {
  if (event.number <= chat.seen) return;
  chat.seen = event.number;
  const phone = phones.get(chat.channel);
  const { message } = event;
  switch (event.kind) {
    case "message":
      if (message.sender === "bot") {
        setTyping(chat, null);
        if (live && phone.shown !== chat) chat.unread += 1;
      }
      drawMessage(chat, message, false);
      break;
    case "edit":
      drawMessage(chat, message, live);
      break;
    case "delete":
      chat.rows.get(message.id)?.remove();
      chat.rows.delete(message.id);
      break;
    case "status":
      if (event.text === "failed") note(chat, `A message failed (${message.error_code})`);
      break;
    case "typing":
      if (live) setTyping(chat, event.text);
      break;
    case "notice":
      if (live && event.text) toast(event.text);
      break;
  }
  if (live) drawTabs(phone);
}

function setTyping(chat, action) {
  clearTimeout(chat.typing);
  chat.typing = action && setTimeout(() => setTyping(chat, null), TYPING_SECONDS * 1000);
  chat.doing = action && `${action.replace(/_/g, " ")}…`;
  const phone = phones.get(chat.channel);
  if (phone.shown === chat) phone.doing.textContent = chat.doing || "bot";
}

// --- drawing ---------------------------------------------------------------------------------------------------

function buildPhone(section) {
  section.append(document.querySelector("#phone").content.cloneNode(true));
  const find = (selector) => section.querySelector(selector);
  const phone = {
    channel: section.dataset.channel, chats: [], shown: null, section,
    tabs: find(".tabs"), log: find(".chat"), doing: find(".bar small"), text: find("textarea"), more: find(".more"),
  };
  phone.doing.textContent = "bot";
  find(".bar em").textContent = section.getAttribute("aria-label");
  find(".composer").addEventListener("submit", (event) => { event.preventDefault(); send(phone); });
  phone.text.addEventListener("input", () => fit(phone.text));
  phone.text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); send(phone); }
  });
  phone.more.addEventListener("click", (event) => other(phone, event.target.dataset.do));
  find("input[type=file]").addEventListener("change", (event) => sendPhoto(phone, event.target));
  phones.set(phone.channel, phone);
}

function fit(text) {
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight + 2}px`;
}

function drawTabs(phone) {
  const tabs = phone.chats.map((chat) => {
    const tab = element("button", { type: "button", role: "tab", textContent: chat.name, onclick: () => show(phone, chat) });
    tab.setAttribute("aria-selected", chat === phone.shown);
    tab.title = chat.key;
    if (chat.unread) tab.append(element("b", { textContent: chat.unread }));
    return tab;
  });
  const add = element("button", { type: "button", className: "new", textContent: "+ New traveller", onclick: () => newTraveller(phone.channel) });
  phone.tabs.replaceChildren(...tabs, add);
}

function show(phone, chat) {
  phone.shown = chat;
  chat.unread = 0;
  phone.log.replaceWith(chat.log);
  phone.log = chat.log;
  phone.doing.textContent = chat.doing || "bot";
  drawTabs(phone);
  scrollDown(chat);
}

function newLog(chat) {
  const log = element("div", { className: "chat", tabIndex: 0 });
  log.setAttribute("role", "log");
  const start = chat.channel === "telegram" ? "/start" : "Hello";
  const button = element("button", { type: "button", textContent: start, onclick: () => act(chat, "say", { text: start }) });
  log.append(element("p", { className: "empty" }, `${chat.name} has not written yet.`, button));
  return log;
}

function drawMessage(chat, message, changed) {
  const near = chat.log.scrollHeight - chat.log.scrollTop - chat.log.clientHeight < 80;
  chat.log.querySelector(".empty")?.remove();
  const out = message.sender === "traveller";
  const before = chat.rows.get(message.id);
  const previous = before ? before.previousElementSibling : chat.log.lastElementChild;
  const turn = previous && previous.classList.contains("out") !== out;
  const row = element("div", { className: `row ${out ? "out" : ""} ${turn ? "turn" : ""}` }, bubble(chat, message, changed));
  if (message.buttons.length) row.append(keys(chat, message));
  before ? before.replaceWith(row) : chat.log.append(row);
  chat.rows.set(message.id, row);
  if (near || out) scrollDown(chat);
  row.querySelectorAll("img").forEach((image) => image.addEventListener("load", () => near && scrollDown(chat)));
}

function scrollDown(chat) {
  chat.log.scrollTop = chat.log.scrollHeight;
}

function note(chat, text) {
  chat.log.append(element("p", { className: "note", textContent: text }));
  scrollDown(chat);
}

function bubble(chat, message, changed) {
  const node = element("div", { className: `bubble ${changed ? "changed" : ""}` });
  if (message.file) node.append(file(chat, message));
  const words = chat.channel === "telegram" ? telegramText(message.text, message.entities) : whatsappText(message.text);
  const when = clock.format(new Date(message.at));
  node.append(...words, element("span", { className: "when", textContent: message.edited ? `edited ${when}` : when }));
  node.querySelectorAll("code").forEach((code) => { code.title = "Copy"; code.onclick = () => copy(code.textContent); });
  return node;
}

function file(chat, message) {
  const { path, filename, content_type: type, size } = message.file;
  const url = `/${chat.channel}/_sandbox/${path}`;
  if (message.kind === "photo" && /^image\//.test(type)) {
    return element("a", { href: url, target: "_blank" }, element("img", { src: url, alt: message.text || filename }));
  }
  const kind = type.split("/").pop().slice(0, 4).toUpperCase();
  const kilobytes = `${Math.max(1, Math.round(size / 1024))} kB`;
  const about = element("div", {}, element("strong", { textContent: filename }), element("small", { textContent: `${kilobytes} · ${message.kind}` }));
  return element("a", { className: "file", href: url, target: "_blank" }, element("span", { textContent: kind }), about);
}

function keys(chat, message) {
  const rows = message.buttons.map((row) => element("div", {}, ...row.map((button) => {
    const key = element("button", { type: "button" }, button.label);
    if (button.description) key.append(element("small", { textContent: button.description }));
    key.onclick = () => act(chat, "press", { button: button.data ?? button.label, message: message.id });
    return key;
  })));
  return element("div", { className: "keys" }, ...rows);
}

async function copy(text) {
  await navigator.clipboard.writeText(text);
  toast("Copied");
}

// --- doing -----------------------------------------------------------------------------------------------------

async function newTraveller(channel) {
  const taken = phones.get(channel).chats.map((chat) => chat.name);
  const name = NAMES.find((candidate) => !taken.includes(candidate)) ?? `Traveller ${taken.length + 1}`;
  const made = await ask(`/${channel}/_sandbox/travellers`, { name });
  show(phones.get(channel), chatOf(made));
  phones.get(channel).text.focus();
}

async function send(phone) {
  const text = phone.text.value.trim();
  if (!text || !phone.shown) return;
  phone.text.value = "";
  fit(phone.text);
  await act(phone.shown, "say", { text });
}

async function other(phone, what) {
  if (!what || !phone.shown) return;
  phone.more.open = false;
  const samples = { voice: ["note.ogg", "T2dnUw=="], sticker: ["smile.webp", "UklGRg=="] };
  if (!samples[what]) return act(phone.shown, what);
  const [filename, content] = samples[what];
  await act(phone.shown, "file", { kind: what, filename, content });
}

async function sendPhoto(phone, input) {
  const [photo] = input.files;
  phone.more.open = false;
  if (!photo || !phone.shown) return;
  const bytes = new Uint8Array(await photo.arrayBuffer());
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  await act(phone.shown, "file", { kind: "photo", filename: photo.name, content: btoa(binary) });
  input.value = "";
}

function drawPay(pay) {
  const form = document.querySelector(".pay");
  form.hidden = !pay.command;
  const code = form.querySelector("code");
  code.textContent = pay.command ?? "";
  code.onclick = () => copy(pay.command);
  form.querySelector("button").hidden = !pay.button;
  form.onsubmit = async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      toast((await ask("/pay")).message);
    } catch (error) {
      let told = error.message;
      try { told = JSON.parse(told).error; } catch { /* plain text */ }
      toast(told, true);
    }
    button.disabled = false;
  };
}

// --- live ------------------------------------------------------------------------------------------------------

async function load() {
  const state = await ask("/state", undefined, "GET");
  if (world && world !== state.world) return location.reload();
  world = state.world;
  drawPay(state.pay);
  for (const view of state.chats) {
    const chat = chatOf({ channel: view.channel, key: view.key, name: view.name });
    view.events.forEach((event) => take(chat, event, false));
    scrollDown(chat);
  }
  for (const phone of phones.values()) if (!phone.chats.length) await newTraveller(phone.channel);
}

function listen() {
  const link = document.querySelector(".link");
  const stream = new EventSource("/events");
  let waiting = []; // what comes while the state is read
  const apply = (data) => take(chatOf({ channel: data.channel, key: data.key, name: data.name }), data.event, true);
  stream.onopen = async () => {
    waiting = waiting ?? [];
    await load();
    const held = waiting;
    waiting = null;
    held.forEach(apply);
    link.classList.add("live");
    link.lastElementChild.textContent = "live";
  };
  stream.onmessage = (event) => (waiting ? waiting.push(JSON.parse(event.data)) : apply(JSON.parse(event.data)));
  stream.onerror = () => {
    waiting = [];
    link.classList.remove("live");
    link.lastElementChild.textContent = "connecting";
  };
}

document.querySelectorAll(".phone").forEach(buildPhone);
document.addEventListener("click", (event) => {
  for (const { more } of phones.values()) if (!more.contains(event.target)) more.open = false;
});
listen();
