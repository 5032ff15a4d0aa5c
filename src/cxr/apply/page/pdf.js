// A PDF of one A4 page: an image of it, and under it the same text, invisible, to find and to copy.

const [WIDTH, HEIGHT] = [595, 842]; // points

/** sheet: {canvas, lines} of `sheetOf`; a Blob. */
export async function pdfOf({ canvas, lines }, title) {
  const jpeg = new Uint8Array(await (await asBlob(canvas, "image/jpeg", 0.93)).arrayBuffer());
  const scale = WIDTH / canvas.width;
  const content = [
    `q ${WIDTH} 0 0 ${HEIGHT} 0 0 cm /Page Do Q`,
    ...lines.map((line) => invisibleText(line, scale)),
  ].join("\n");
  return assemble([
    "<< /Type /Catalog /Pages 2 0 R /Lang (en) /ViewerPreferences << /DisplayDocTitle true >> >>",
    "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 ${WIDTH} ${HEIGHT}] /Contents 4 0 R ` +
      "/Resources << /XObject << /Page 5 0 R >> /Font << /F 6 0 R >> >> >>",
    [`<< /Length ${content.length} >>`, latin(content)],
    [
      `<< /Type /XObject /Subtype /Image /Width ${canvas.width} /Height ${canvas.height} ` +
        `/ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /DCTDecode /Length ${jpeg.length} >>`,
      jpeg,
    ],
    "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    `<< /Title ${utf16(title)} /Producer (cxr) >>`,
  ]);
}

function invisibleText({ text, x, y, size }, scale) {
  const [left, below] = [x * scale, HEIGHT - (y + size) * scale];
  const [points, x1, y1] = [size * scale, left, below].map((number) => number.toFixed(1));
  return `BT 3 Tr /F ${points} Tf ${x1} ${y1} Td (${escaped(text)}) Tj ET`;
}

/** Letters outside Latin-1, which the font has not, become "?"; the image shows them. */
const escaped = (text) =>
  text.replace(/[’‘]/g, "'").replace(/[^\x20-\x7e\xa0-\xff]/g, "?").replace(/[\\()]/g, "\\$&");

const latin = (text) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

function utf16(text) {
  const hex = Array.from({ length: text.length }, (_, i) => text.charCodeAt(i).toString(16).padStart(4, "0"));
  return `<feff${hex.join("")}>`;
}

/** Objects are a dictionary, or [dictionary, bytes of its stream], numbered from 1; the last is Info. */
function assemble(objects) {
  const parts = [latin("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")];
  const offsets = [];
  let at = parts[0].length;
  const put = (bytes) => {
    parts.push(bytes);
    at += bytes.length;
  };
  objects.forEach((object, i) => {
    const [dictionary, stream] = [object].flat();
    offsets.push(at);
    put(latin(`${i + 1} 0 obj\n${dictionary}\n`));
    if (stream) for (const bytes of [latin("stream\n"), stream, latin("\nendstream\n")]) put(bytes);
    put(latin("endobj\n"));
  });
  const table = offsets.map((offset) => `${String(offset).padStart(10, "0")} 00000 n \n`).join("");
  const n = objects.length + 1;
  const trailer = `trailer\n<< /Size ${n} /Root 1 0 R /Info ${objects.length} 0 R >>\nstartxref\n${at}\n%%EOF\n`;
  put(latin(`xref\n0 ${n}\n0000000000 65535 f \n${table}${trailer}`));
  return new Blob(parts, { type: "application/pdf" });
}

export function asBlob(canvas, type, quality) {
  return new Promise((resolve, reject) => {
    const done = (blob) => (blob ? resolve(blob) : reject(new Error(`the browser made no ${type}`)));
    canvas.toBlob(done, type, quality);
  });
}
