// SPDX-License-Identifier: Apache-2.0
// Writes a picture anew with a palette (PNG, W3C 2003): pages have few colours, and files stay small.
async (encoded) => {
  const bytes = Uint8Array.from(atob(encoded), (sign) => sign.charCodeAt(0));
  const picture = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const { width, height } = picture;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0);
  const pixels = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);

  // Fewer bits of each colour, until there is a place for all of them.
  let colours, mask;
  for (let bits = 8; bits > 2; bits -= 1) {
    const kept = (0xff << (8 - bits)) & 0xff;
    mask = kept | (kept << 8) | (kept << 16);
    colours = new Map();
    for (const pixel of pixels) {
      if (!colours.has(pixel & mask)) colours.set(pixel & mask, colours.size);
      if (colours.size > 256) break;
    }
    if (colours.size <= 256) break;
  }
  const spread = (value) => Math.round(((value & mask & 0xff) * 255) / (mask & 0xff));
  const palette = [...colours.keys()].flatMap((colour) =>
    [colour, colour >> 8, colour >> 16].map(spread));

  const rows = new Uint8Array((width + 1) * height);
  for (let y = 0; y < height; y += 1)
    for (let x = 0; x < width; x += 1)
      rows[y * (width + 1) + 1 + x] = colours.get(pixels[y * width + x] & mask);
  const packed = await new Response(
    new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"))).arrayBuffer();

  const checksum = (data) => {
    let sum = ~0;
    for (const byte of data) {
      sum ^= byte;
      for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
    }
    return ~sum;
  };
  const number = (value) => [value >>> 24, value >>> 16, value >>> 8, value].map((part) => part & 0xff);
  const chunk = (name, data) => {
    const named = [...name].map((sign) => sign.charCodeAt(0)).concat(data);
    return [...number(data.length), ...named, ...number(checksum(named))];
  };
  const head = [...number(width), ...number(height), 8, 3, 0, 0, 0];
  const file = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a,
    ...chunk("IHDR", head), ...chunk("PLTE", palette),
    ...chunk("IDAT", [...new Uint8Array(packed)]), ...chunk("IEND", [])];
  let text = "";
  for (const byte of file) text += String.fromCharCode(byte);
  return btoa(text);
}
