// The page: whom it is for, what is recommended, and why. One state, one direction: choose, ask, show.

import { Problem, explained, get, post, useKey } from "./api.js";
import { $, chip, choices, light, make, markCurrent, markNew, showTimes } from "./view.js";

const SEARCH_PAUSE_MS = 150;
const NUM_ITEMS = 10;
const DEADLINE_MS = 60_000; // a demo waits for a laptop's language model rather than show the template

const NARROW = matchMedia("(max-width: 1050px)"); // there the explanation stands below the list: go to it

const state = { user: null, session: [], item: null, evidence: null, asked: new AbortController() };
let listing = 0; // the newest wish for a list: answers to older ones come too late

function trouble(error) {
  if (error.name === "AbortError") return;
  $("trouble").textContent = error.message;
  $("key-form").hidden = error.status !== 401;
  $("trouble").hidden = false;
}

const guarded = (act) => (...values) => act(...values).catch(trouble);
const subject = () => (state.user !== null ? { user_id: state.user } : { history: state.session.map((item) => item.id) });

function searching(input, path, show) {
  let timer = 0, newest = 0;
  const search = guarded(async () => {
    const mine = ++newest;
    const found = await get(`${path}?limit=8&query=${encodeURIComponent(input.value.trim())}`);
    if (mine === newest) show(found);
  });
  input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(search, SEARCH_PAUSE_MS); });
  return search;
}

function showUsers({ users }) {
  const describe = (user) => [`${user.id} `, make("small", {}, `${user.label} · ${user.num_history} items`)];
  choices($("users"), users, describe, (user, button) => { markCurrent($("users"), button); forUser(user.id); });
  const chosen = users.findIndex((user) => user.id === state.user); // a later answer must not forget who was chosen
  if (chosen >= 0) markCurrent($("users"), $("users").children[chosen].firstChild);
  if (!users.length) $("users").replaceChildren(make("li", { className: "quiet" }, "No user like that."));
}

function showFoundItems({ items }) {
  const describe = (item) => [`${item.title} `, make("small", {}, item.categories.join(", "))];
  choices($("found-items"), items, describe, (item) => { state.session.push(item); forSession(); });
  if (!items.length) $("found-items").replaceChildren(make("li", { className: "quiet" }, "No item like that."));
}

const forUser = guarded(async (userId) => {
  begin();
  state.user = userId;
  const mine = listing;
  const [known] = await Promise.all([get(`/users/${encodeURIComponent(userId)}/tokens`), recommend()]);
  if (mine !== listing) return;
  showTokens(known.tokens);
  showHistory(known.history);
  light(state.evidence); // an item may have been chosen before these came
});

const forSession = guarded(async () => {
  begin();
  state.user = null;
  choices($("session"), state.session, (item) => [`${item.title} `, make("small", {}, "remove")], (item) => {
    state.session.splice(state.session.indexOf(item), 1);
    forSession();
  });
  state.session.forEach((item, at) => { $("session").children[at].dataset.item = item.id; });
  showHistory([]);
  const mine = listing;
  const answer = await recommend();
  if (mine !== listing) return;
  showTokens(answer.user_tokens);
  light(state.evidence);
});

function begin() {
  listing++;
  state.asked.abort();
  state.item = null;
  $("items").setAttribute("aria-busy", "true"); // what stands there is for whoever was chosen before
  $("trouble").hidden = true;
  $("why").hidden = true;
  $("why-hint").hidden = false;
  state.evidence = null;
  light(null);
}

function showTokens(tokens) {
  $("tokens").replaceChildren(...tokens.map((token) => chip(token, "user", "li")));
  if (!tokens.length) $("tokens").replaceChildren(make("li", { className: "quiet" }, "None yet: nothing is known."));
}

function showHistory(history) {
  $("history-part").hidden = !history.length;
  $("history").replaceChildren(...history.map((item) => {
    const entry = make("li", {}, item.title);
    entry.dataset.item = item.item_id;
    return entry;
  }));
}

async function recommend() {
  const mine = listing;
  $("items-note").textContent = "Looking …";
  const answer = await post("/recommend", { ...subject(), k: NUM_ITEMS });
  if (mine === listing) showItems(answer);
  return answer;
}

function showItems(answer) {
  const best = Math.max(...answer.items.map((item) => item.score), 1e-9);
  const describe = (item) => [
    make("span", { className: "rank" }, `${answer.items.indexOf(item) + 1}`),
    make("span", { className: "title" }, item.title),
    make("span", { className: "quiet" },
      make("meter", { min: 0, max: best, value: Math.max(item.score, 0), ariaLabel: "score" }),
      ` ${item.score.toFixed(3)} ${item.categories.join(", ")}`),
  ];
  choices($("items"), answer.items, describe, (item, button) => {
    markCurrent($("items"), button);
    state.item = item;
    why();
    if (NARROW.matches) document.querySelector(".why").scrollIntoView();
  });
  $("items").setAttribute("aria-busy", "false");
  const ms = answer.timings_ms.total;
  $("items-note").textContent = answer.fallback || `${answer.items.length} items in ${ms.toFixed(1)} ms`;
}

const why = guarded(async () => {
  state.asked.abort();
  state.asked = new AbortController();
  $("trouble").hidden = true;
  $("why").hidden = false;
  $("why-hint").hidden = true;
  $("why-item").textContent = state.item.title;
  const other = $("whatif").checked && $("whatif-user").value.trim();
  const answers = [newAnswer(state.user === null ? "For this session" : `For user ${state.user}`)];
  if (other) answers.push(newAnswer(`With the tokens of user ${other}`));
  $("answers").replaceChildren(...answers);
  $("difference").textContent = "";
  const own = await write(answers[0], {}, true);
  if (other) {
    const swapped = await write(answers[1], { tokens_of: await outsideId(other) }, false);
    markNew(answers[1].querySelector(".text"), swapped, own);
    markNew(answers[0].querySelector(".text"), own, swapped);
    $("difference").textContent = own === swapped ? "Both texts are the same: here the other tokens changed nothing."
      : "Marked: words that only one of the two texts has.";
  }
});

/** The id as the service spells it: 42 and "42" are the same user to it, another spelling is told as unknown. */
const outsideId = async (typed) => {
  const { users } = await get(`/users?limit=20&query=${encodeURIComponent(typed)}`);
  return users.find((user) => String(user.id) === typed)?.id ?? typed;
};

function newAnswer(whose) {
  const answer = $("answer").content.firstElementChild.cloneNode(true);
  answer.querySelector(".whose").textContent = whose;
  return answer;
}

/** Shows one explanation while it is written; gives its final text. */
async function write(answer, more, lights) {
  const part = (name) => answer.querySelector(`.${name}`);
  const text = part("text");
  const body = { ...subject(), item_id: state.item.item_id, deadline_ms: DEADLINE_MS, ...more };
  try {
    for await (const [name, value] of explained(body, state.asked.signal)) {
      if (name === "evidence") showEvidence(answer, value.evidence, lights);
      if (name === "delta") text.append(value.text);
      if (name === "replace") text.textContent = value.text;
      if (name === "error") throw new Problem(value.status, value.detail);
      if (name === "done") {
        text.textContent = value.text;
        part("source").textContent = SOURCES[value.source] || value.source;
        part("source").classList.add(value.source);
        part("note").textContent = value.fallback || "";
        part("note").hidden = !value.fallback;
        showTimes(part("times"), part("legend"), value.timings_ms);
      }
    }
  } finally {
    answer.setAttribute("aria-busy", "false");
  }
  return text.textContent;
}

const SOURCES = { llm: "written by the language model", cache: "from the cache", template: "from the template" };

function showEvidence(answer, evidence, lights) {
  answer.querySelector(".source").textContent = "writing";
  answer.querySelector(".pairs").replaceChildren(...evidence.token_pairs.slice(0, 4).map((pair) =>
    make("li", {}, chip(pair.user, "user"), pair.shared_words.length ? "meets" : "is near", chip(pair.item, "item"))));
  answer.querySelector(".past").replaceChildren(...evidence.past_items.map((item) =>
    make("li", {}, `${item.title} `, make("small", {}, `similarity ${item.similarity.toFixed(2)}`))));
  if (!lights) return;
  state.evidence = evidence;
  light(evidence);
}

function mode(session) {
  $("mode-user").setAttribute("aria-pressed", String(!session));
  $("mode-session").setAttribute("aria-pressed", String(session));
  $("user-part").hidden = session;
  $("session-part").hidden = !session;
  if (session) {
    findItems();
    forSession();
  } else {
    findUsers().then(() => $("user-part").hidden || $("users").querySelector("button")?.click()); // unless it was left meanwhile
  }
}

const findUsers = searching($("user-search"), "/users", showUsers);
const findItems = searching($("item-search"), "/items", showFoundItems);
$("mode-user").addEventListener("click", () => mode(false));
$("mode-session").addEventListener("click", () => mode(true));
$("whatif").addEventListener("change", () => {
  $("whatif-part").hidden = !$("whatif").checked;
  if (state.item && ($("whatif-user").value || !$("whatif").checked)) why();
});
$("whatif-user").addEventListener("change", () => state.item && why());
searching($("whatif-user"), "/users", ({ users }) =>
  $("whatif-users").replaceChildren(...users.map((user) => make("option", { value: user.id }, user.label))));

const introduce = guarded(async () => {
  const model = await get("/model");
  $("model").textContent = `${model.dataset}, version ${model.version}: ${model.counts.users} users, ` +
    `${model.counts.items} items; explained by ${model.language_model.name}, frozen`;
  const { users } = await get("/users?limit=2");
  $("whatif-user").value = users.at(-1)?.id ?? "";
});

function start() {
  introduce();
  mode(false);
}

$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  useKey($("key").value);
  $("key-form").hidden = $("trouble").hidden = true;
  start();
});
start();
