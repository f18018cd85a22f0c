"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { machines, kinds, places, capabilities, causes, keys, times } = data;
  const $ = (id) => document.getElementById(id);
  const VERDICTS = [["ready", "good", "i-yes"], ["not ready", "bad", "i-no"], ["cannot tell", "open", "i-ask"]];
  const WORKS = { caveat: ["works with a caveat", "care", "i-part"], fails: ["does not work", "bad", "i-no"], unknown: ["cannot tell", "open", "i-ask"] };
  const STEP = 100;
  const number = (n) => n.toLocaleString("en");
  let shown = STEP, found = [], timer = 0;

  const text = places.map((place) => place.values.concat(Object.entries(place.labels).map(([k, v]) => k + "=" + v)).join(" ").toLowerCase());
  const caused = kinds.map((kind) => new Set((kind || []).map((row) => row[2])));
  const labels = [...new Set(places.flatMap((place) => Object.keys(place.labels)))].sort();

  function element(name, properties, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(properties || {})) {
      if (key === "class") made.className = value; else if (key.includes("-") || key === "scope" || key === "role") made.setAttribute(key, value); else made[key] = value;
    }
    made.append(...children);
    return made;
  }

  function mark([word, tone, icon]) {
    const space = "http://www.w3.org/2000/svg";
    const drawn = document.createElementNS(space, "svg");
    drawn.setAttribute("class", "icon");
    drawn.setAttribute("aria-hidden", "true");
    const use = document.createElementNS(space, "use");
    use.setAttribute("href", "#" + icon);
    drawn.append(use);
    return element("span", { class: "dot " + tone }, drawn, element("span", { class: "unseen" }, word + ": "));
  }

  function value(machine, key) {
    const place = places[machine[2]];
    if (key === "verdict") return VERDICTS[machine[3]][0];
    const at = keys.indexOf(key);
    return (at >= 0 ? place.values[at] : place.labels[key.slice(6)]) || "–";
  }

  function filtered() {
    const words = $("words").value.toLowerCase().split(/\s+/).filter(Boolean);
    const verdict = $("verdict").value, cause = $("cause").value;
    return machines.filter((one) =>
      (verdict === "" || one[3] === +verdict) && (cause === "" || caused[one[1]].has(+cause)) &&
      words.every((word) => one[0].toLowerCase().includes(word) || text[one[2]].includes(word)));
  }

  function update() {
    found = filtered();
    shown = STEP;
    $("told").textContent = number(found.length) + " of " + number(machines.length) + (machines.length === 1 ? " machine" : " machines");
    groups();
    $("list").replaceChildren();
    list(0);
  }

  function list(start) {
    const rows = document.createDocumentFragment();
    for (const one of found.slice(start, shown)) rows.append(element("li", {}, row(one)));
    $("list").append(rows);
    $("more").hidden = shown >= found.length;
    $("more").textContent = "Show " + number(Math.min(STEP, found.length - shown)) + " more of " + number(found.length - shown);
  }

  function row(one) {
    const place = places[one[2]];
    const words = [place.values[0], place.values[1]].concat(Object.entries(place.labels).map(([k, v]) => k + "=" + v)).filter(Boolean).join(" · ");
    const verdict = VERDICTS[one[3]];
    const card = element("details", { class: "card machine " + verdict[1] },
      element("summary", {}, mark(verdict), element("span", { class: "says" }, one[0]), element("span", { class: "where" }, words)));
    card.addEventListener("toggle", () => { if (card.open && card.children.length === 1) card.append(details(one)); });
    return card;
  }

  function details(one) {
    const place = places[one[2]];
    const known = keys.map((key, at) => [key, place.values[at]]).concat(Object.entries(place.labels)).filter(([, v]) => v);
    if (times[one[4]]) known.push(["these answers since", times[one[4]]]);
    const facts = element("dl", { class: "facts" }, ...known.map(([k, v]) => element("div", {}, element("dt", {}, k), element("dd", {}, v))));
    const kind = kinds[one[1]];
    const rows = (kind || []).map(([capability, status, cause, words]) => element("li", {}, mark(WORKS[status]),
      element("span", {}, capabilities[capability]), element("small", {}, (causes[cause][0] ? causes[cause][0] + ": " : "") + data.words[words])));
    return element("div", { class: "body" }, facts,
      rows.length ? element("ul", { class: "rows" }, ...rows) :
        element("p", {}, kind ? "Everything works." : "This page has no room for what this machine answers: kdiag compare --format json has it."));
  }

  function groups() {
    const key = $("group").value;
    if (!key) { $("groups").replaceChildren(); return; }
    const counted = new Map();
    for (const one of found) {
      const name = value(one, key);
      const row = counted.get(name) || [0, 0, 0];
      row[one[3]] += 1;
      counted.set(name, row);
    }
    const sum = (row) => row[0] + row[1] + row[2];
    const rows = [...counted].sort((a, b) => sum(b[1]) - sum(a[1])).slice(0, 200).map(([name, row]) => {
      const pick = element("button", { type: "button" }, name);
      pick.addEventListener("click", () => { $("words").value = name === "–" || key === "verdict" ? "" : (key.startsWith("label:") ? key.slice(6) + "=" : "") + name; if (key === "verdict") $("verdict").value = String(VERDICTS.findIndex((v) => v[0] === name)); $("group").value = ""; update(); $("words").focus(); });
      return element("tr", {}, element("th", { scope: "row" }, pick), ...[sum(row), ...row].map((n) => element("td", {}, number(n))));
    });
    const head = element("tr", {}, ...[key.replace("label:", ""), "Machines", "Ready", "Not ready", "Cannot tell"].map((word) => element("th", { scope: "col" }, word)));
    $("groups").replaceChildren(element("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Groups" },
      element("table", { class: "plain" }, element("thead", {}, head), element("tbody", {}, ...rows))));
  }

  causes.forEach(([id, words], index) => $("cause").append(element("option", { value: String(index) }, id || words.slice(0, 60))));
  for (const [words, key] of [["nothing", ""], ...keys.map((key) => [key, key]), ...labels.map((name) => ["label " + name, "label:" + name]), ["verdict", "verdict"]])
    $("group").append(element("option", { value: key }, words));
  if (data.group) $("group").value = data.group;
  $("filter").hidden = false;
  $("filter").addEventListener("submit", (event) => event.preventDefault());
  $("filter").addEventListener("reset", () => setTimeout(update));
  for (const id of ["verdict", "cause", "group"]) $(id).addEventListener("change", update);
  $("words").addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(update, 120); });
  $("more").addEventListener("click", () => {
    const start = shown;
    shown += STEP;
    list(start);
    const next = $("list").children[start];
    if (next) next.querySelector("summary").focus();
  });
  for (const pick of document.querySelectorAll(".pick")) pick.addEventListener("click", () => {
    $("filter").reset();
    setTimeout(() => { $("cause").value = pick.dataset.cause; update(); $("machines").focus(); $("machines").scrollIntoView(); });
  });
  update();
})();
