// A board on which boxes are drawn, or classes painted.
//
// props.mode: 'boxes', or 'paint'. props.classes: names. props.value: JSON of
// what is on the board: {boxes: [[class, x, y, w, h], ...]} with parts of the
// picture, or {size: [h, w], runs: [class, pixels, ...]} row by row.
// props.canvas: JSON of {width, height, picture}: the size, and what is shown
// below, a data URL.
const SHOWN = 384;  // pixels of the longer side on the screen
const MOST_UNDONE = 20;
const find = (name) => element.querySelector('.board-' + name);
const canvas = find('canvas');
const pencil = canvas.getContext('2d', {willReadFrequently: true});
const choice = find('class'), brush = find('brush');
const painting = props.mode === 'paint';
let width, height, scale, picture = null;
let boxes = [], grid = null, undone = [], start = null, end = null;

const colour = (label, alpha) => painting && props.classes.length === 2
  ? (label ? `rgba(255, 60, 60, ${alpha})` : 'rgba(0, 0, 0, 0)')
  : `hsla(${(label * 137.5 + 15) % 360}, 75%, ${45 + label % 3 * 12}%, ${alpha})`;

function pixelColour(label) {
  pencil.clearRect(0, 0, 1, 1);
  pencil.fillStyle = colour(label, picture ? 0.6 : 1);
  pencil.fillRect(0, 0, 1, 1);
  return pencil.getImageData(0, 0, 1, 1).data;
}
let colours = [];

props.classes.forEach((name, label) => choice.add(new Option(name, label)));
if (painting && props.classes.length === 2) choice.value = 1;  // the hole
find('size').hidden = !painting;

function resize() {
  const wanted = JSON.parse(props.canvas);
  width = wanted.width; height = wanted.height;
  scale = painting ? 1 : SHOWN / Math.max(width, height);
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const shown = SHOWN / Math.max(width, height);
  canvas.style.width = Math.round(width * shown) + 'px';
  canvas.style.aspectRatio = `${width} / ${height}`;
  canvas.style.backgroundImage = wanted.picture ? `url(${wanted.picture})` : '';
  picture = wanted.picture;
  element.querySelector('.board').hidden = !width;
  undone = [];
  if (painting) {
    colours = props.classes.map((_, label) => pixelColour(label));
    grid = new Uint16Array(width * height);
    brush.max = Math.max(2, Math.round(Math.max(width, height) / 4));
    brush.value = Math.max(1, Math.round(Math.max(width, height) / 12));
  }
}

function draw() {
  pencil.clearRect(0, 0, canvas.width, canvas.height);
  if (painting) return drawGrid();
  boxes.forEach(([label, x, y, w, h]) => drawBox(label, x, y, w, h));
  if (start) drawBox(+choice.value, ...between());
}

function drawBox(label, x, y, w, h) {
  const [left, top] = [x * canvas.width, y * canvas.height];
  const [wide, high] = [w * canvas.width, h * canvas.height];
  pencil.fillStyle = colour(label, 0.25);
  pencil.fillRect(left, top, wide, high);
  pencil.lineWidth = 2; pencil.strokeStyle = colour(label, 1);
  pencil.strokeRect(left + 1, top + 1, wide - 2, high - 2);
  pencil.font = '13px system-ui, sans-serif'; pencil.textBaseline = 'top';
  const name = props.classes[label];
  const place = Math.min(left, canvas.width - pencil.measureText(name).width - 6);
  pencil.fillStyle = colour(label, 1);
  pencil.fillRect(place, top, pencil.measureText(name).width + 6, 17);
  pencil.fillStyle = 'white'; pencil.fillText(name, place + 3, top + 2);
}

function drawGrid() {
  if (!width) return;
  const pixels = pencil.createImageData(width, height);
  grid.forEach((label, i) => pixels.data.set(colours[label], 4 * i));
  pencil.putImageData(pixels, 0, 0);
}

function place(event) {
  const box = canvas.getBoundingClientRect();
  const within = (part) => Math.min(1, Math.max(0, part));
  return [within((event.clientX - box.left) / box.width),
          within((event.clientY - box.top) / box.height)];
}

function between() {
  const [x, y] = [0, 1].map((i) => Math.min(start[i], end[i]));
  return [x, y, Math.abs(end[0] - start[0]), Math.abs(end[1] - start[1])];
}

function paint(from, to) {
  const radius = brush.value / 2, label = +choice.value;
  const steps = Math.ceil(Math.hypot((to[0] - from[0]) * width,
                                     (to[1] - from[1]) * height)) + 1;
  for (let i = 0; i <= steps; i++) {
    const x = (from[0] + (to[0] - from[0]) * i / steps) * width;
    const y = (from[1] + (to[1] - from[1]) * i / steps) * height;
    for (let row = Math.max(0, Math.floor(y - radius));
         row < Math.min(height, y + radius); row++)
      for (let column = Math.max(0, Math.floor(x - radius));
           column < Math.min(width, x + radius); column++)
        if (Math.hypot(row + 0.5 - y, column + 0.5 - x) <= Math.max(radius, 0.71))
          grid[row * width + column] = label;
  }
}

function tell() {
  let value = {boxes};
  if (painting) {
    const runs = [];
    for (let i = 0, from = 0; i < grid.length; i++)
      if (grid[i] !== grid[i + 1] || i === grid.length - 1) {
        runs.push(grid[i], i + 1 - from);
        from = i + 1;
      }
    value = {size: [height, width], runs};
  }
  props.value = JSON.stringify(value);
}

function remember() {
  undone.push(painting ? grid.slice() : boxes.slice());
  if (undone.length > MOST_UNDONE) undone.shift();
}

canvas.addEventListener('pointerdown', (event) => {
  event.preventDefault();
  try { canvas.setPointerCapture(event.pointerId); } catch {}
  remember();
  start = end = place(event);
  if (painting) paint(start, start);
  draw();
});
canvas.addEventListener('pointermove', (event) => {
  if (!start) return;
  const here = place(event);
  if (painting) paint(end, here);
  end = here;
  draw();
});
function finish(event) {
  if (!start) return;
  const [x, y, w, h] = between();
  if (!painting && w * canvas.width > 3 && h * canvas.height > 3)
    boxes.push([+choice.value, x, y, w, h]);
  start = null;
  draw(); tell();
}
canvas.addEventListener('pointerup', finish);
canvas.addEventListener('pointercancel', finish);
find('undo').addEventListener('click', () => {
  if (!undone.length) return;
  if (painting) grid = undone.pop(); else boxes = undone.pop();
  draw(); tell();
});
find('clear').addEventListener('click', () => {
  remember();
  if (painting) grid.fill(painting && props.classes.length > 2 ? +choice.value : 0);
  else boxes = [];
  draw(); tell();
});
watch('canvas', () => { resize(); draw(); tell(); });
resize(); draw(); tell();
