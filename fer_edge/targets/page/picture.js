// From a picture to the gray square that the model sees, as fer_edge/vision/crop.py does it with OpenCV.

/** Gray levels of RGBA bytes, with OpenCV's weights of 15 bits. */
export function toGray(rgba) {
  const gray = new Uint8Array(rgba.length / 4);
  for (let i = 0, j = 0; i < gray.length; i++, j += 4)
    gray[i] = (rgba[j] * 9798 + rgba[j + 1] * 19235 + rgba[j + 2] * 3735 + 16384) >> 15;
  return gray;
}

/** Where each of `to` pixels comes from along one axis of `side` pixels: area where the square `shrinks`, else linear. */
function sources(side, to, start, length, shrinks) {
  const step = side / to;
  const at = (n) => Math.min(Math.max(start + n, 0), length - 1); // the border is repeated
  return Array.from({length: to}, (_, i) => {
    if (!shrinks) {
      const centre = (i + 0.5) * step - 0.5;
      const first = Math.floor(centre), part = centre - first;
      const inside = (n) => at(Math.min(Math.max(n, 0), side - 1));
      return [[inside(first), 1 - part], [inside(first + 1), part]];
    }
    const from = i * step, until = from + step, taken = [];
    for (let n = Math.floor(from + 1e-9); n < until - 1e-9; n++)
      taken.push([at(n), (Math.min(n + 1, until) - Math.max(n, from)) / step]);
    return taken;
  });
}

/** The square (x, y, side) of gray levels, turned round its middle by `roll` degrees, so that a
    head with that tilt is level: side x side levels. */
function level(gray, width, height, x, y, side, roll) {
  const turned = new Uint8Array(side * side), middle = (side - 1) / 2;
  const cos = Math.cos((roll * Math.PI) / 180), sin = Math.sin((roll * Math.PI) / 180);
  const at = (column, row) =>
    gray[Math.min(Math.max(row, 0), height - 1) * width + Math.min(Math.max(column, 0), width - 1)];
  for (let i = 0; i < turned.length; i++) {
    const u = (i % side) - middle, v = Math.floor(i / side) - middle;
    const column = x + middle + cos * u - sin * v, row = y + middle + sin * u + cos * v;
    const left = Math.floor(column), top = Math.floor(row), across = column - left, down = row - top;
    const upper = at(left, top) * (1 - across) + at(left + 1, top) * across;
    const lower = at(left, top + 1) * (1 - across) + at(left + 1, top + 1) * across;
    turned[i] = Math.round(upper * (1 - down) + lower * down);
  }
  return turned;
}

/** The square (x, y, side) of gray levels width x height, as rows x columns levels; levelled where `roll` degrees
    are given. */
export function crop(gray, width, height, x, y, side, rows, columns, roll = 0) {
  if (roll) return crop(level(gray, width, height, x, y, side, roll), side, side, 0, 0, side, rows, columns);
  const shrinks = side >= rows && side >= columns;
  const across = sources(side, columns, x, width, shrinks), down = sources(side, rows, y, height, shrinks);
  const face = new Uint8Array(rows * columns);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) {
      let sum = 0;
      for (const [row, rowShare] of down[r])
        for (const [column, share] of across[c]) sum += rowShare * share * gray[row * width + column];
      face[r * columns + c] = Math.round(sum);
    }
  return face;
}
