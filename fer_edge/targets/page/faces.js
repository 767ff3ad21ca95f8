// Faces from what BlazeFace gives, as fer_edge/vision/blazeface.py does it. Boxes are {x, y, width, height, score, roll}; roll: the head's
// tilt in degrees, clockwise.

const SAME = 0.3; // overlap from which two boxes are one face

/** Boxes in pixels of the network's input that score `least` or more, the surest first. `places`: 16 numbers
    a cell, `logits`: one. */
export function decode(places, logits, {side, stride, least}) {
  const cells = side / stride, likely = [];
  logits.forEach((logit, i) => {
    const score = 1 / (1 + Math.exp(-logit));
    if (score < least) return;
    const [x, y, width, height, ...eyes] = places.slice(16 * i, 16 * i + 8); // the centre counts from the cell's
    const left = x + ((i % cells) + 0.5) * stride - width / 2;
    const top = y + (Math.floor(i / cells) + 0.5) * stride - height / 2;
    const roll = (Math.atan2(eyes[3] - eyes[1], eyes[2] - eyes[0]) * 180) / Math.PI;
    likely.push({x: left, y: top, width, height, score, roll});
  });
  likely.sort((a, b) => b.score - a.score);
  return likely.reduce((kept, box) => (kept.some((other) => overlap(box, other) > SAME) ? kept : [...kept, box]), []);
}

/** Intersection over union, 0..1. */
export function overlap(a, b) {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  const common = Math.max(width, 0) * Math.max(height, 0);
  return common ? common / (a.width * a.height + b.width * b.height - common) : 0;
}

/** The square round the box's centre, as wide as its longer side and `margin` of that on each side. */
export function square({x, y, width, height}, margin) {
  const side = Math.max(width, height) * (1 + 2 * margin);
  return {x: Math.round(x + (width - side) / 2), y: Math.round(y + (height - side) / 2), side: Math.round(side)};
}

let count = 0;

/** Boxes found with the `id` of the known face that each lies on; a face that is new must score `least`. */
export function follow(known, found, least) {
  const left = new Set(known), followed = [];
  for (const box of found) {
    const last = [...left].sort((a, b) => overlap(box, b) - overlap(box, a))[0];
    const same = last && overlap(box, last) > SAME;
    if (same) left.delete(last);
    if (same || box.score >= least) followed.push({...box, id: same ? last.id : ++count});
  }
  return followed;
}
