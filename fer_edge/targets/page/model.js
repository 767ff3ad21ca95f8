// The model in LiteRT's own runtime for the browser.
import {loadLiteRt, loadAndCompile, Tensor} from "@litertjs/core";

export const facts = JSON.parse(document.getElementById("facts").textContent);
const {rows, columns, channels, channelsFirst, labels} = facts;

export function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

async function unzipped(data) {
  const stream = new Blob([data]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const held = (id) => bytes(document.getElementById(id).textContent);

/** Loads the runtime, whose bytes are in this page so that it works from a file too, and the model. */
export async function open() {
  self.Module = {wasmBinary: await unzipped(held("wasm"))};
  await loadLiteRt("data:text/javascript,0//.js"); // its loader stands in the page already
  const model = await loadAndCompile(held("model"), {accelerator: "wasm"});
  return (face) => classify(model, face);
}

/** Probabilities of a face, rows x columns gray levels. */
async function classify(model, face) {
  const stored = facts.dtype === "uint8" ? new Uint8Array(face.length * channels) : new Float32Array(face.length * channels);
  face.forEach((level, i) => {
    for (let c = 0; c < channels; c++)
      stored[channelsFirst ? c * face.length + i : i * channels + c] = facts.stored[level];
  });
  const input = new Tensor(stored, facts.shape);
  const [output] = await model.run([input]);
  const values = Array.from(await output.data());
  input.delete();
  output.delete();
  const real = values.map((value) => (facts.scale ? facts.scale * (value - facts.zeroPoint) : value));
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
