// How the pages are formatted; the width of a line is in .editorconfig.

/** Prettier breaks every rule of a style into lines. Ours stay on one line each, so styles are left as they are written. */
const styles = {
  parsers: {
    css: {
      astFormat: "styles",
      parse: (text) => ({ type: "styles", text }),
      locStart: () => 0,
      locEnd: ({ text }) => text.length,
    },
  },
  printers: { styles: { print: ({ node }) => `${node.text.trim()}\n` } },
};

export default { plugins: [styles] };
