"use strict";
// Shows what /events tells; sends nothing back.
const SECONDS = 60;
const history = [];
let labels = [];
let colors = [];
let retry = 0;

const byId = (id) => document.getElementById(id);

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function say(text, kind) {
  byId("connection").textContent = text;
  byId("connection").className = kind;
}

function percent(share) { return `${Math.round(100 * share)} %`; }

function bar(label, share, color) {
  const row = element("div", "bar");
  const track = element("span", "track");
  const fill = element("i");
  fill.style.width = `${100 * share}%`;
  fill.style.background = color;
  track.append(fill);
  row.append(element("span", "", label), track, element("b", "", percent(share)));
  return row;
}

function showFaces(state) {
  const cards = state.faces.map((face) => {
    const card = element("div", "face");
    const name = face.label === null ? "uncertain" : `${face.label} ${percent(face.confidence)}`;
    const title = element("h2", "", name);
    title.append(element("small", "", `face ${face.track}`));
    card.append(title);
    face.shares.forEach((share, i) => card.append(bar(labels[i], share, colors[i])));
    return card;
  });
  byId("faces").replaceChildren(...(cards.length ? cards : [element("div", "nobody", "nobody in view")]));
}

function showLegend() {
  byId("legend").replaceChildren(...labels.map((label, i) => {
    const item = element("li");
    const mark = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const square = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    square.setAttribute("width", "100%");
    square.setAttribute("height", "100%");
    square.setAttribute("fill", colors[i]);
    mark.append(square);
    item.append(mark, label);
    return item;
  }));
}

// The face that the chart follows: the same one for as long as it is there, then the largest.
function followed(faces) {
  const before = history.length ? history[history.length - 1].track : null;
  const size = (face) => face.box_xywh[2] * face.box_xywh[3];
  return faces.find((face) => face.track === before)
    || faces.reduce((a, b) => (a && size(a) >= size(b) ? a : b), null);
}

function remember(state) {
  const now = performance.now() / 1000;
  const face = followed(state.faces);
  history.push({ now, track: face && face.track, shares: face && face.shares });
  while (history.length && now - history[0].now > SECONDS) history.shift();
  byId("charted").textContent = face ? `(face ${face.track})` : "";
}

function drawChart() {
  const canvas = byId("chart");
  const pen = canvas.getContext("2d");
  const style = getComputedStyle(document.documentElement);
  const left = 46, right = 8, top = 8, bottom = 20;
  const width = canvas.clientWidth - left - right, height = canvas.clientHeight - top - bottom;
  const now = performance.now() / 1000;
  const x = (time) => left + width * (1 - (now - time) / SECONDS);
  const y = (share) => top + height * (1 - share);
  canvas.width = canvas.clientWidth * devicePixelRatio;  // which clears it
  canvas.height = canvas.clientHeight * devicePixelRatio;
  pen.scale(devicePixelRatio, devicePixelRatio);
  pen.font = "13px system-ui, sans-serif";
  pen.fillStyle = style.getPropertyValue("--quiet");
  pen.strokeStyle = style.getPropertyValue("--line");
  pen.lineWidth = 1;
  for (const share of [0, 0.5, 1]) {
    pen.beginPath();
    pen.moveTo(left, y(share));
    pen.lineTo(left + width, y(share));
    pen.stroke();
    pen.fillText(percent(share), 0, y(share) + 5);
  }
  for (const ago of [60, 45, 30, 15]) pen.fillText(`-${ago} s`, x(now - ago), canvas.clientHeight - 3);
  pen.fillText("now", left + width - 26, canvas.clientHeight - 3);
  pen.lineWidth = 2;
  labels.forEach((_, i) => {
    pen.strokeStyle = colors[i];
    pen.beginPath();
    let before = null;
    for (const point of history) {
      if (point.shares === null) { before = null; continue; }
      const joined = before && before.track === point.track && point.now - before.now < 2;
      pen[joined ? "lineTo" : "moveTo"](x(point.now), y(point.shares[i]));
      before = point;
    }
    pen.stroke();
  });
}

function show(state) {
  if (state.labels.join() !== labels.join()) {
    labels = state.labels;
    colors = state.colors;
    showLegend();
  }
  byId("source").textContent = state.source;
  byId("frame").textContent = state.frame;
  byId("fps").textContent = state.fps.toFixed(1);
  byId("memory").textContent = state.memory_mib === null ? "unknown" : `${state.memory_mib.toFixed(0)} MiB`;
  byId("count").textContent = state.faces.length;
  showFaces(state);
  remember(state);
  drawChart();
}

function connect() {
  const events = new EventSource("/events");
  let ended = false;
  events.onopen = () => {
    say("live", "live");
    byId("video").src = `/video.mjpg?${retry++}`;
  };
  events.onmessage = (event) => show(JSON.parse(event.data));
  events.addEventListener("end", () => {
    ended = true;
    events.close();
    say("the run has ended", "");
  });
  events.onerror = () => {
    if (ended) return;
    // A server that answers 503 has too many viewers; the browser would not try again by itself.
    say(events.readyState === EventSource.CLOSED ? "too many viewers, or no right to look" : "connection lost, trying again", "lost");
    if (events.readyState === EventSource.CLOSED) setTimeout(connect, 5000);
  };
}

connect();
