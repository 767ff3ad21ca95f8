// The page: a picture or the camera, squares found or one drawn by hand, and bars.
import {facts, open, check, classifyAll} from "page/model.js";
import {follow, square} from "page/faces.js";
import {toGray, crop} from "page/picture.js";

const {rows, columns, labels} = facts;
const $ = (id) => document.getElementById(id);
const view = $("view"), pen = view.getContext("2d", {willReadFrequently: true});
// hand: the square drawn by hand; faces: those found, of which `chosen` is the id of the one with bars.
const shown = {source: null, width: 0, height: 0, hand: null, faces: [], chosen: null};
let models = null, busy = false, again = false, camera = null;

for (const label of labels) {
  const name = document.createElement("dt"), bar = document.createElement("dd"), number = document.createElement("dd");
  name.textContent = label;
  bar.className = "track";
  bar.append(Object.assign(document.createElement("div"), {className: "fill"}));
  number.className = "number";
  $("bars").append(name, bar, number);
}

const argmax = (values) => values.indexOf(Math.max(...values));

function show(probabilities) {
  const best = argmax(probabilities);
  $("named").textContent = labels[best];
  document.querySelectorAll(".fill").forEach((fill, i) => (fill.style.width = `${100 * probabilities[i]}%`));
  document.querySelectorAll(".number").forEach((cell, i) => (cell.textContent = `${(100 * probabilities[i]).toFixed(0)} %`));
}

function showFace(face) {
  const picture = new ImageData(columns, rows);
  face.forEach((level, i) => picture.data.set([level, level, level, 255], 4 * i));
  $("face").getContext("2d").putImageData(picture, 0, 0);
}

/** The squares of the picture drawn now: of the faces found, else the one drawn by hand. */
async function squares() {
  const {sure, margin, levelledFrom} = facts.detector ?? {};
  const found = models.detect && $("find").checked ? await models.detect(view) : [];
  shown.faces = follow(shown.faces, found, sure);
  const tilt = ({roll}) => (Math.abs(roll) >= levelledFrom ? roll : 0);
  const squared = shown.faces.map((face) => ({id: face.id, roll: tilt(face), ...square(face, margin)}));
  return squared.length ? squared : [shown.hand];
}

/** The square (x, y, side), thick where its bars are shown, and what it was taken for. */
function drawSquare({x, y, side, probabilities}, thick, named) {
  const best = argmax(probabilities), size = Math.max(12, view.width / 40);
  const text = `${labels[best]} ${(100 * probabilities[best]).toFixed(0)} %`;
  pen.lineWidth = Math.max(2, view.width / (thick ? 160 : 320));
  pen.strokeStyle = pen.fillStyle = "#2a78c8";
  pen.strokeRect(x, y, side, side);
  if (!named) return;
  pen.font = `${size}px system-ui, sans-serif`;
  pen.textBaseline = "top";
  const top = Math.max(y - 1.3 * size, 0);
  pen.fillRect(x, top, pen.measureText(text).width + size, 1.3 * size);
  pen.fillStyle = "#fff";
  pen.fillText(text, x + size / 2, top + 0.2 * size);
}

/** Draws the picture, classifies its squares and draws them over it; gives them with their probabilities. */
async function update() {
  again = busy; // what has changed is drawn after it
  if (busy || !shown.source || !models) return null;
  busy = true;
  try {
    pen.clearRect(0, 0, view.width, view.height); // a picture may be transparent
    pen.drawImage(shown.source, 0, 0, view.width, view.height);
    let start = performance.now(), took = 0;
    const classified = await squares(), finding = performance.now() - start;
    const gray = toGray(pen.getImageData(0, 0, view.width, view.height).data);
    for (const one of classified) {
      one.face = crop(gray, view.width, view.height, one.x, one.y, one.side, rows, columns, one.roll);
      start = performance.now();
      one.probabilities = await models.classify(one.face);
      took += performance.now() - start;
    }
    const words = models.detect ? `${finding.toFixed(1)} ms to find faces, ` : "";
    $("time").textContent = `${words}${(took / classified.length).toFixed(1)} ms per face in LiteRT in this browser`;
    const chosen = classified.find(({id}) => id === shown.chosen) ?? classified[0];
    for (const one of classified) drawSquare(one, one === chosen, shown.faces.length);
    showFace(chosen.face);
    show(chosen.probabilities);
    return classified;
  } finally {
    busy = false;
    if (again) update().catch(fail);
  }
}

const handSide = () => Math.round((Math.min(shown.width, shown.height) * $("side").value) / 100);

function use(source, width, height, hand) {
  Object.assign(shown, {source, width, height, faces: [], chosen: null});
  Object.assign(view, {width, height});
  const side = handSide();
  shown.hand = hand ?? {x: Math.round((width - side) / 2), y: Math.round((height - side) / 2), side};
  return update();
}

async function openPicture(blob, hand) {
  stopCamera();
  const picture = await createImageBitmap(blob); // turned upright as its EXIF says
  return use(picture, picture.width, picture.height, hand);
}

function stopCamera() {
  camera?.getTracks().forEach((track) => track.stop());
  camera = null;
  $("camera").textContent = "Camera";
}

async function startCamera() {
  camera = await navigator.mediaDevices.getUserMedia({video: {width: 640, height: 480}});
  $("camera").textContent = "Stop";
  const video = Object.assign(document.createElement("video"), {srcObject: camera, muted: true, playsInline: true});
  await video.play();
  video.onresize = () => camera && use(video, video.videoWidth, video.videoHeight); // a phone was turned
  await use(video, video.videoWidth, video.videoHeight);
  const next = async () => {
    if (!camera) return;
    await update();
    requestAnimationFrame(next);
  };
  next();
}

async function toggleCamera() {
  $("camera").disabled = true; // a second click would start another
  await (camera ? stopCamera() : startCamera().catch(fail));
  $("camera").disabled = false;
}

const fail = (error) => ($("hint").textContent = `${error.message ?? error}`);

$("file").addEventListener("change", (event) => event.target.files[0] && openPicture(event.target.files[0]).catch(fail));
$("camera").addEventListener("click", toggleCamera);
$("find").addEventListener("change", update);
$("side").addEventListener("input", () => {
  if (!shown.hand) return;
  const {x, y, side} = shown.hand, grown = handSide() - side;
  shown.hand = {x: Math.round(x - grown / 2), y: Math.round(y - grown / 2), side: side + grown};
  update();
});
view.addEventListener("pointerdown", (event) => {
  view.setPointerCapture(event.pointerId);
  const scale = view.width / view.clientWidth, x = event.offsetX * scale, y = event.offsetY * scale;
  const inside = (face) => x > face.x && x < face.x + face.width && y > face.y && y < face.y + face.height;
  shown.chosen = shown.faces.find(inside)?.id ?? shown.chosen;
  if (shown.faces.length) update();
});
view.addEventListener("pointermove", (event) => {
  if (!event.buttons || !shown.hand || shown.faces.length) return;
  const scale = view.width / view.clientWidth, {x, y, side} = shown.hand;
  shown.hand = {x: Math.round(x + event.movementX * scale), y: Math.round(y + event.movementY * scale), side};
  update();
});

/** For programs: ?picture=URL&square=x,y,side shows a picture, by hand if it has a square, ?faces=URL classifies raw faces, and
    ?report=PATH posts what came out to the server that the page is from. */
async function automate(checked) {
  const asked = new URLSearchParams(location.search), report = {check: checked};
  if (asked.has("picture")) {
    const [x, y, side] = (asked.get("square") ?? "").split(",").map(Number);
    const blob = await (await fetch(asked.get("picture"))).blob();
    if (side) $("find").checked = false;
    const found = await openPicture(blob, side ? {x, y, side} : undefined);
    report.squares = found.map(({face, ...rest}) => ({...rest, label: labels[argmax(rest.probabilities)]}));
    report.detected = shown.faces.length;
  }
  if (asked.has("faces"))
    report.faces = await classifyAll(models.classify, new Uint8Array(await (await fetch(asked.get("faces"))).arrayBuffer()));
  return report;
}

async function send(report) {
  const path = new URLSearchParams(location.search).get("report");
  if (path && new URL(path, location).origin === location.origin)
    await fetch(path, {method: "POST", body: JSON.stringify(report)});
}

try {
  models = await open();
  $("finding").hidden = !models.detect;
  $("find").checked = Boolean(models.detect);
  if (models.detect) $("hint").textContent = "Tap a face for its bars. If it was not found, drag the square onto it.";
  $("named").textContent = "Open a picture";
  await update(); // one may be open already
  const checked = await check(models.classify);
  $("check").textContent =
    `Checked in this browser on ${checked.faces} drawn faces: probabilities differ by ` +
    `${checked.largest < 1e-4 ? "less than 0.0001" : `up to ${checked.largest.toFixed(4)}`} from LiteRT's in Python.`;
  await send(await automate(checked));
} catch (error) {
  $("named").textContent = "This browser cannot run the model";
  fail(error);
  await send({error: `${error.message ?? error}`});
}
