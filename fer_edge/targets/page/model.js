// The models in LiteRT's own runtime for the browser.
import {loadLiteRt, loadAndCompile, Tensor} from "@litertjs/core";
import {decode} from "page/faces.js";

export const facts = JSON.parse(document.getElementById("facts").textContent);
const {rows, columns, channels, labels} = facts;

export function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

async function unzipped(data) {
  const stream = new Blob([data]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const held = (id) => bytes(document.getElementById(id).textContent);

/** Loads the runtime, whose bytes are in this page so that it works from a file too, and the models; `detect` is
    null where no detector is in the page. */
export async function open() {
  self.Module = {wasmBinary: await unzipped(held("wasm"))};
  await loadLiteRt("data:text/javascript,0//.js"); // its loader stands in the page already
  const load = (id) => loadAndCompile(held(id), {accelerator: "wasm"});
  const model = await load("model"), detector = facts.detector && (await load("detector"));
  return {classify: (face) => classify(model, face), detect: detector && ((canvas) => detect(detector, canvas))};
}

/** What the model gives for a typed array of that shape: an array for each output. */
async function run(model, values, shape) {
  const input = new Tensor(values, shape), outputs = await model.run([input]);
  const found = await Promise.all(outputs.map((output) => output.data().then((data) => data.slice())));
  for (const tensor of [input, ...outputs]) tensor.delete();
  return found;
}

let small = null;

/** Boxes of the faces in a canvas, in its pixels, the surest first. */
async function detect(model, canvas) {
  const {side} = facts.detector, scale = side / Math.max(canvas.width, canvas.height);
  const width = Math.round(canvas.width * scale), height = Math.round(canvas.height * scale);
  if (Math.min(width, height) < 1) return []; // a strip so thin that nothing of it would be left
  const left = (side - width) >> 1, top = (side - height) >> 1;
  small ??= new OffscreenCanvas(side, side).getContext("2d", {willReadFrequently: true});
  small.imageSmoothingQuality = "high";
  small.fillRect(0, 0, side, side);
  small.drawImage(canvas, left, top, width, height);
  const rgba = small.getImageData(0, 0, side, side).data, values = new Float32Array(side * side * 3);
  for (let i = 0, j = 0; i < values.length; j++) if (j % 4 < 3) values[i++] = rgba[j] / 127.5 - 1;
  const [logits, places] = (await run(model, values, [1, side, side, 3])).sort((a, b) => a.length - b.length);
  return decode(places, logits, facts.detector).map((box) => ({
    ...box, x: (box.x - left) / scale, y: (box.y - top) / scale, width: box.width / scale, height: box.height / scale,
  }));
}

/** Probabilities of a face, rows x columns gray levels. */
async function classify(model, face) {
  const stored = facts.dtype === "uint8" ? new Uint8Array(face.length * channels) : new Float32Array(face.length * channels);
  face.forEach((level, i) => {
    for (let c = 0; c < channels; c++)
      stored[i * channels + c] = facts.stored[level];
  });
  const [values] = await run(model, stored, facts.shape);
  const real = Array.from(values, (value) => (facts.scale ? facts.scale * (value - facts.zeroPoint) : value));
  return facts.content === "logits" ? softmax(real) : real;
}

function softmax(logits) {
  const most = Math.max(...logits), powers = logits.map((value) => Math.exp(value - most));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}

/** Probabilities of many faces, one after the other in `data`. */
export async function classifyAll(classifier, data) {
  const size = rows * columns, found = [];
  for (let start = 0; start < data.length; start += size)
    found.push(await classifier(data.subarray(start, start + size)));
  return found;
}

/** The largest difference from what LiteRT said in Python of the same drawn faces. */
export async function check(classifier) {
  const found = await classifyAll(classifier, bytes(facts.check.faces));
  let largest = 0;
  found.forEach((row, i) => row.forEach((p, j) => {
    largest = Math.max(largest, Math.abs(p - facts.check.probabilities[i][j]));
  }));
  return {faces: found.length, largest, labels: labels.length};
}
