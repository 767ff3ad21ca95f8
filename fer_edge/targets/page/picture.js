// From a picture to the gray square that the model sees, as fer_edge/preprocess.py does it with OpenCV.

/** Gray levels of RGBA bytes, with OpenCV's weights of 15 bits. */
export function toGray(rgba) {
  const gray = new Uint8Array(rgba.length / 4);
  for (let i = 0, j = 0; i < gray.length; i++, j += 4)
    gray[i] = (rgba[j] * 9798 + rgba[j + 1] * 19235 + rgba[j + 2] * 3735 + 16384) >> 15;
  return gray;
}

/** Where each of `to` pixels comes from along one axis of `side` pixels: area where it shrinks, else linear. */
function sources(side, to, start, length) {
  const step = side / to;
  const at = (n) => Math.min(Math.max(start + n, 0), length - 1); // the border is repeated
  return Array.from({length: to}, (_, i) => {
    if (side < to) {
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

/** The square (x, y, side) of gray levels width x height, as rows x columns levels. */
export function crop(gray, width, height, x, y, side, rows, columns) {
  const across = sources(side, columns, x, width), down = sources(side, rows, y, height);
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
