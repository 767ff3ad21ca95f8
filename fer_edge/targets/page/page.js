// The page: a picture or the camera, a square, and bars.
import {facts, open, check, classifyAll} from "page/model.js";
import {toGray, crop} from "page/picture.js";

const {rows, columns, labels} = facts;
const $ = (id) => document.getElementById(id);
const view = $("view"), pen = view.getContext("2d", {willReadFrequently: true});
const shown = {source: null, width: 0, height: 0, square: null};
let classifier = null, busy = false, camera = null;

for (const label of labels) {
  const name = document.createElement("dt"), bar = document.createElement("dd"), number = document.createElement("dd");
  name.textContent = label;
  bar.className = "track";
  bar.append(Object.assign(document.createElement("div"), {className: "fill"}));
  number.className = "number";
  $("bars").append(name, bar, number);
}

function show(probabilities) {
  const best = probabilities.indexOf(Math.max(...probabilities));
  $("named").textContent = labels[best];
  document.querySelectorAll(".fill").forEach((fill, i) => (fill.style.width = `${100 * probabilities[i]}%`));
  document.querySelectorAll(".number").forEach((cell, i) => (cell.textContent = `${(100 * probabilities[i]).toFixed(0)} %`));
}

function showFace(face) {
  const picture = new ImageData(columns, rows);
  face.forEach((level, i) => picture.data.set([level, level, level, 255], 4 * i));
  $("face").getContext("2d").putImageData(picture, 0, 0);
}

/** Draws the picture, classifies the square and draws that over it; gives the probabilities. */
async function update() {
  if (busy || !shown.source || !classifier) return null;
  busy = true;
  try {
    pen.drawImage(shown.source, 0, 0, view.width, view.height);
    const {x, y, side} = shown.square;
    const gray = toGray(pen.getImageData(0, 0, view.width, view.height).data);
    const face = crop(gray, view.width, view.height, x, y, side, rows, columns);
    const start = performance.now();
    const probabilities = await classifier(face);
    $("time").textContent = `${(performance.now() - start).toFixed(1)} ms in LiteRT, here in this browser`;
    pen.lineWidth = Math.max(2, view.width / 240);
    pen.strokeStyle = "#2a78c8";
    pen.strokeRect(x, y, side, side);
    showFace(face);
    show(probabilities);
    return probabilities;
  } finally {
    busy = false;
  }
}

function use(source, width, height, square) {
  Object.assign(shown, {source, width, height});
  Object.assign(view, {width, height});
  const side = Math.round((Math.min(width, height) * $("side").value) / 100);
  shown.square = square ?? {x: Math.round((width - side) / 2), y: Math.round((height - side) / 2), side};
  return update();
}

async function openPicture(blob, square) {
  stopCamera();
  const picture = await createImageBitmap(blob); // turned upright as its EXIF says
  return use(picture, picture.width, picture.height, square);
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
  await use(video, video.videoWidth, video.videoHeight);
  const next = async () => {
    if (!camera) return;
    await update();
    requestAnimationFrame(next);
  };
  next();
}

const fail = (error) => ($("hint").textContent = `${error.message ?? error}`);

$("file").addEventListener("change", (event) => event.target.files[0] && openPicture(event.target.files[0]).catch(fail));
$("camera").addEventListener("click", () => (camera ? stopCamera() : startCamera().catch(fail)));
$("side").addEventListener("input", () => {
  if (!shown.square) return;
  const side = Math.round((Math.min(shown.width, shown.height) * $("side").value) / 100), grown = side - shown.square.side;
  shown.square = {x: Math.round(shown.square.x - grown / 2), y: Math.round(shown.square.y - grown / 2), side};
  update();
});
view.addEventListener("pointerdown", (event) => view.setPointerCapture(event.pointerId));
view.addEventListener("pointermove", (event) => {
  if (!event.buttons || !shown.square) return;
  const scale = view.width / view.clientWidth;
  const x = shown.square.x + event.movementX * scale, y = shown.square.y + event.movementY * scale;
  shown.square = {...shown.square, x: Math.round(x), y: Math.round(y)};
  update();
});

/** For programs: ?picture=URL&square=x,y,side shows a picture, ?faces=URL classifies raw faces, and
    ?report=PATH posts what came out to the server that the page is from. */
async function automate(checked) {
  const asked = new URLSearchParams(location.search), report = {check: checked};
  if (asked.has("picture")) {
    const [x, y, side] = (asked.get("square") ?? "").split(",").map(Number);
    const blob = await (await fetch(asked.get("picture"))).blob();
    report.probabilities = await openPicture(blob, side ? {x, y, side} : undefined);
  }
  if (asked.has("faces"))
    report.faces = await classifyAll(classifier, new Uint8Array(await (await fetch(asked.get("faces"))).arrayBuffer()));
  return report;
}

async function send(report) {
  const path = new URLSearchParams(location.search).get("report");
  if (path && new URL(path, location).origin === location.origin)
    await fetch(path, {method: "POST", body: JSON.stringify(report)});
}

try {
  classifier = await open();
  $("named").textContent = "Open a picture";
  const checked = await check(classifier);
  $("check").textContent =
    `Checked in this browser on ${checked.faces} drawn faces: probabilities differ by ` +
    `${checked.largest < 1e-4 ? "less than 0.0001" : `up to ${checked.largest.toFixed(4)}`} from LiteRT's in Python.`;
  await send(await automate(checked));
} catch (error) {
  $("named").textContent = "This browser cannot run it";
  fail(error);
  await send({error: `${error.message ?? error}`});
}
