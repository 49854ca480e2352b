"""Script and style of a report's page, and plotly.js packed."""

from __future__ import annotations

import base64
import zlib
from functools import cache
from importlib.resources import files


@cache
def packed_plotly() -> str:
    """Return plotly.js, deflated and in base64: a third of its size."""
    source = files("plotly").joinpath("package_data", "plotly.min.js").read_bytes()
    return base64.b64encode(zlib.compress(source, 6)).decode()


SCRIPT = """
(() => {
  const element = (id) => document.getElementById(id);
  const read = (id) => element(id) && JSON.parse(element(id).textContent);
  const made = (name, text) => Object.assign(document.createElement(name), {textContent: text});

  const examples = read("examples-content");
  const images = new Map(examples ? examples.images : []);
  const openCell = (spec, point) => {
    const {x, y} = spec.data[0];
    const row = y.indexOf(point.y), column = x.indexOf(point.x);
    const uids = examples.cells[row][column];
    element("examples-title").textContent = `true ${point.y}, predicted ${point.x}`;
    element("examples-count").textContent = uids.length
      ? `${uids.length} example${uids.length > 1 ? "s" : ""} of ${point.customdata} in this cell`
      : "Examples are kept of errors only.";
    element("examples-list").replaceChildren(...uids.map((uid) => {
      const figure = document.createElement("figure");
      if (images.has(uid)) {
        figure.append(Object.assign(new Image(), {src: images.get(uid), alt: uid}));
      }
      figure.append(made("figcaption", uid));
      return figure;
    }));
    element("examples").showModal();
  };

  const draw = async () => {
    const packed = atob(element("plotly").textContent);
    const bytes = Uint8Array.from(packed, (character) => character.charCodeAt(0));
    const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const script = made("script", await new Response(plain).text());
    document.head.append(script);
    const specs = read("specs");
    const config = {responsive: true, displaylogo: false};
    for (const frame of frames) {
      const spec = specs[frame.dataset.figure];
      await Plotly.newPlot(frame, spec.data, spec.layout, config);
      if (examples && frame.dataset.figure === "confusion") {
        frame.on("plotly_click", ({points}) => openCell(spec, points[0]));
      }
    }
    document.body.dataset.drawn = frames.length;
  };
  const frames = [...document.querySelectorAll("[data-figure]")];
  draw().catch((error) => {
    for (const frame of frames) frame.textContent = `This browser cannot draw: ${error}`;
  });
})();
"""

STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; color: #1f2933; background: #f6f7f9;
       margin: 0 auto; padding: 20px; max-width: 1280px }
h1 { font-size: 22px; margin: 0 } h2 { font-size: 16px; margin: 0 0 8px }
.quiet { color: #616e7c; margin: 2px 0 12px }
section { margin: 0 0 16px } section[id]:not(.tiles):not(.figures) {
  background: #fff; border: 1px solid #e4e7eb; border-radius: 8px; padding: 14px 16px }
.tiles { display: grid; gap: 8px; grid-template-columns: repeat(auto-fill, minmax(118px, 1fr)) }
.tiles div { background: #fff; border: 1px solid #e4e7eb; border-radius: 8px; padding: 8px 12px }
.tiles b { display: block; font-size: 18px; font-variant-numeric: tabular-nums }
.tiles span { color: #616e7c; font-size: 12px }
.figures { display: grid; gap: 12px; align-items: start;
           grid-template-columns: repeat(auto-fill, minmax(min(440px, 100%), 1fr)) }
.figure { background: #fff; border: 1px solid #e4e7eb; border-radius: 8px; min-height: 380px;
          min-width: 0; overflow: hidden; padding: 4px }
.images { display: grid; gap: 10px;
          grid-template-columns: repeat(auto-fill, minmax(240px, 1fr));
          margin-bottom: 12px }
.images figure { margin: 0 } .images img { width: 100%; border-radius: 6px; display: block }
figcaption { color: #616e7c; font-size: 12px; overflow-wrap: anywhere }
.wide { overflow-x: auto } table { border-collapse: collapse; font-size: 13px }
th { text-align: left; color: #616e7c; font-weight: 600; white-space: nowrap }
th, td { padding: 3px 14px 3px 0; border-bottom: 1px solid #eceff3; vertical-align: top }
td { overflow-wrap: anywhere } .number { font-variant-numeric: tabular-nums; white-space: nowrap }
i.truth, i.prediction { display: inline-block; width: 12px; height: 12px; border-radius: 3px;
                 vertical-align: -1px }
i.truth { background: #009e73 } i.prediction { background: #e67800 }
.tiles small { display: block; color: #616e7c; font-size: 11px }
#certificate td:first-child { white-space: nowrap }
#confusion .nsewdrag { cursor: pointer }
.hint { font-size: 12px; margin: 0; padding: 0 12px 8px }
[data-figure] { min-height: 380px }
dialog { border: 1px solid #cbd2d9; border-radius: 8px; padding: 14px 16px;
         width: min(820px, 85vw) }
dialog::backdrop { background: rgba(31, 41, 51, .4) } dialog form { float: right }
"""
