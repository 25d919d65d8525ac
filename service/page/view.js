// Pieces of the page. Texts of the service are set as text, never as markup.

export const $ = (id) => document.getElementById(id);

/** An element with properties and children (texts or elements). */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

export const sameToken = (a, b) => a.level === b.level && a.code === b.code;

/** A behaviour token as a chip; `owner` tells a user's from an item's. */
export function chip(token, owner, tag = "span") {
  const macro = token.level === "macro";
  const element = make(tag, { className: macro ? "chip macro" : "chip", title: `${token.level}, code ${token.code}` },
    make("small", {}, macro ? "interest " : `${token.level.replace("micro", "intent")} `), token.label || `code ${token.code}`);
  Object.assign(element.dataset, { owner, level: token.level, code: token.code });
  return element;
}

/** A list of choices as buttons; `describe` gives a choice's children, `choose` hears which was taken. */
export function choices(list, values, describe, choose) {
  list.replaceChildren(...values.map((value) => {
    const button = make("button", { type: "button" }, ...describe(value));
    button.addEventListener("click", () => choose(value, button));
    return make("li", {}, button);
  }));
}

export function markCurrent(list, button) {
  for (const other of list.querySelectorAll("[aria-current]")) other.removeAttribute("aria-current");
  button?.setAttribute("aria-current", "true");
}

/** Lights what the explanation rests on among the chips and past items of whom it is for, and puts out the rest. */
export function light(evidence) {
  for (const element of document.querySelectorAll(".who .earlier")) element.remove();
  for (const element of document.querySelectorAll(".who .lit")) element.classList.remove("lit");
  if (!evidence) return;
  for (const element of document.querySelectorAll("#tokens .chip")) {
    const { level, code } = element.dataset;
    if (evidence.token_pairs.some((pair) => pair.user.level === level && String(pair.user.code) === code))
      element.classList.add("lit");
  }
  const shown = new Map(Array.from(document.querySelectorAll(".who li[data-item]"), (entry) => [entry.dataset.item, entry]));
  const earlier = []; // longer ago than the list goes back: added to it on top
  for (const item of evidence.past_items) {
    const entry = shown.get(String(item.item_id));
    if (entry) entry.classList.add("lit");
    else earlier.push(make("li", { className: "earlier lit" }, `${item.title} `, make("small", {}, "earlier")));
  }
  $("history").prepend(...earlier);
}

const STAGES = ["tokens", "retrieval", "evidence", "prompt", "queue", "first_token", "decode"];
const NAMES = { first_token: "first token" };

/** Milliseconds by stage as a bar, and as words for those who do not see it. */
export function showTimes(bar, legend, timings) {
  const parts = STAGES.filter((stage) => timings[stage] > 0).map((stage) => [stage, timings[stage]]);
  const words = parts.map(([stage, ms]) => `${NAMES[stage] || stage} ${round(ms)} ms`);
  bar.setAttribute("aria-label", `${words.join(", ")}; ${round(timings.total)} ms in all`);
  bar.replaceChildren(...parts.map(([stage, ms]) => {
    const part = make("span", { className: `stage-${STAGES.indexOf(stage)}` });
    part.style.flexGrow = ms; // through the object model: the page's policy forbids style attributes
    return part;
  }));
  legend.replaceChildren(`${round(timings.total)} ms`, ...parts.map(([stage], at) =>
    make("span", {}, make("i", { className: `stage-${STAGES.indexOf(stage)}` }), words[at])));
}

const round = (ms) => (ms < 10 ? ms.toFixed(1) : Math.round(ms));

/** The text with the words marked that the other one does not have; words of three letters say little. */
export function markNew(element, text, other) {
  const had = new Set(other.toLowerCase().match(/[\p{L}\p{N}']+/gu) || []);
  const parts = text.split(/([\p{L}\p{N}']+)/u);
  element.replaceChildren(...parts.map((part) =>
    /^[\p{L}\p{N}']{4,}/u.test(part) && !had.has(part.toLowerCase()) ? make("mark", {}, part) : part));
}
