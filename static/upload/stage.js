// Show a picture in a frame: whole at first, then up to 8:1 by wheel, fingers, keys and buttons.

// Screen pixels per picture pixel.
const MOST = 8;
const STEP = 1.4;
const PAN_PX = 64;
// A pointer this near to the divider moves the divider, in screen pixels.
const REACH_PX = 24;
const LINE_PX = 16;

export class Stage extends EventTarget {
  #fingers = new Map();
  #act = null;
  #isFitted = true;
  scale = 1;
  x = 0;
  y = 0;

  // *frame* holds *sheet*, which is moved and scaled; *splitX* returns the position of the divider.
  constructor(frame, sheet, splitX) {
    super();
    Object.assign(this, { frame, sheet, splitX, width: 0, height: 0 });
    frame.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    frame.addEventListener("pointerdown", (event) => this.#down(event));
    frame.addEventListener("pointermove", (event) => this.#move(event));
    for (const type of ["pointerup", "pointercancel"]) frame.addEventListener(type, (event) => this.#up(event));
    frame.addEventListener("dblclick", (event) => this.#turn(event));
    frame.addEventListener("keydown", (event) => this.#key(event));
    // Two fingers zoom the picture, even where one scrolls the page.
    for (const type of ["touchstart", "touchmove"]) {
      frame.addEventListener(type, (event) => event.touches.length > 1 && event.preventDefault(), { passive: false });
    }
    new ResizeObserver(() => this.#isFitted ? this.fit() : this.#settle()).observe(frame);
  }

  // Screen pixels per picture pixel; 1 is "true pixels".
  get ratio() { return this.scale * devicePixelRatio; }
  get isFitted() { return this.#isFitted; }

  get #fittingScale() {
    const { clientWidth, clientHeight } = this.frame;
    return Math.min(clientWidth / this.width, clientHeight / this.height, 1) || 1;
  }

  // The horizontal part of the frame that the picture covers.
  get covered() {
    return [Math.max(0, this.x), Math.min(this.frame.clientWidth, this.x + this.width * this.scale)];
  }

  // Sets the size of the picture; another picture of the same size keeps the view.
  lay(width, height) {
    if (width === this.width && height === this.height) return this.#settle();
    Object.assign(this, { width, height });
    this.frame.style.aspectRatio = `${width} / ${height}`;
    Object.assign(this.sheet.style, { width: `${width}px`, height: `${height}px` });
    this.fit();
  }

  fit() {
    this.#isFitted = true;
    this.scale = this.#fittingScale;
    this.#settle();
  }

  zoom(factor, at = this.#middle()) {
    this.zoomTo(this.ratio * factor, at);
  }

  // Keeps the picture point under *at*, a position in the frame, in place.
  zoomTo(ratio, at = this.#middle()) {
    const scale = Math.min(ratio, MOST) / devicePixelRatio;
    if (scale <= this.#fittingScale) return this.fit();
    this.#isFitted = false;
    this.x = at.x - ((at.x - this.x) * scale) / this.scale;
    this.y = at.y - ((at.y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.#settle();
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.#settle();
  }

  // Avoid empty space on one side while the picture continues on the other.
  #settle() {
    const inside = (at, frame, picture) => picture <= frame ? (frame - picture) / 2 : Math.min(0, Math.max(frame - picture, at));
    this.x = inside(this.x, this.frame.clientWidth, this.width * this.scale);
    this.y = inside(this.y, this.frame.clientHeight, this.height * this.scale);
    this.sheet.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    this.frame.classList.toggle("zoomed", !this.#isFitted);
    this.frame.classList.toggle("pixels", this.ratio >= 1);
    this.dispatchEvent(new Event("change"));
  }

  #middle() {
    return { x: this.frame.clientWidth / 2, y: this.frame.clientHeight / 2 };
  }

  #place({ clientX, clientY }) {
    const box = this.frame.getBoundingClientRect();
    return { x: clientX - box.left - this.frame.clientLeft, y: clientY - box.top - this.frame.clientTop };
  }

  #wheel(event) {
    if (event.deltaY > 0 && this.#isFitted && !event.ctrlKey) return; // The page keeps scrolling.
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PX : 1;
    this.zoom(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.002)), this.#place(event));
  }

  #down(event) {
    if (event.button !== 0) return;
    this.#fingers.set(event.pointerId, this.#place(event));
    this.frame.setPointerCapture(event.pointerId);
    const isNear = Math.abs(this.#place(event).x - this.splitX()) <= REACH_PX;
    this.#act = this.#fingers.size > 1 ? "pinch" : this.#isFitted || isNear ? "split" : "pan";
    // A touch may be the first of two.
    if (event.pointerType !== "touch") this.#split(event);
  }

  #move(event) {
    const before = this.#fingers.get(event.pointerId);
    if (!before) return;
    const [middle, distance] = this.#pinch();
    const at = this.#place(event);
    this.#fingers.set(event.pointerId, at);
    if (this.#act === "pan") this.pan(at.x - before.x, at.y - before.y);
    if (this.#act === "pinch") {
      const [to, wide] = this.#pinch();
      this.zoom(wide / distance, to);
      if (!this.#isFitted) this.pan(to.x - middle.x, to.y - middle.y);
    }
    this.#split(event);
  }

  #up({ pointerId }) {
    this.#fingers.delete(pointerId);
    // After a pinch the remaining finger moves the picture, not the divider.
    this.#act = this.#fingers.size ? "pan" : null;
  }

  #split(event) {
    if (this.#act === "split") this.dispatchEvent(new CustomEvent("split", { detail: this.#place(event).x }));
  }

  #pinch() {
    const [a, b = a] = this.#fingers.values();
    return [{ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 }, Math.hypot(a.x - b.x, a.y - b.y) || 1];
  }

  #turn(event) {
    if (this.#isFitted) this.zoomTo(1, this.#place(event));
    else this.fit();
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const moves = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const acts = {
      "+": () => this.zoom(STEP), "=": () => this.zoom(STEP), "-": () => this.zoom(1 / STEP),
      0: () => this.fit(), 1: () => this.zoomTo(1),
    };
    const [dx, dy] = moves[event.key] ?? [];
    const act = acts[event.key] ?? (dx !== undefined && !this.#isFitted && (() => this.pan(dx * PAN_PX, dy * PAN_PX)));
    if (!act) return;
    event.preventDefault();
    act();
  }

  enlarge() { this.zoom(STEP); }
  reduce() { this.zoom(1 / STEP); }
}
