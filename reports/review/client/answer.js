// An answer on the page and its exact text. Offsets are Unicode code points, as everywhere outside of the browser; this
// file converts the browser's UTF-16 offsets.
class Answer {
  constructor(element) {
    this.element = element;
    this.text = "";
    this.pieces = [...element.querySelectorAll("[data-at]")].map((node) => {
      const isHidden = node.dataset.code !== undefined;
      const own = isHidden ? String.fromCodePoint(Number(node.dataset.code)) : node.textContent;
      const piece = { node, isHidden, own, at: Number(node.dataset.at), unit: this.text.length };
      this.text += own;
      return piece;
    });
    this.points = Array.from(this.text);
  }

  // The part of this answer that a range of the document covers, or null.
  covered(range) {
    let first = null;
    let last = null;
    for (const piece of this.pieces) {
      const [from, to] = Answer.overlap(piece, range);
      if (from < to) {
        first ??= Answer.place(piece, from);
        last = Answer.place(piece, to);
      }
    }
    if (!first) return null;
    const quote = this.text.slice(first.unit, last.unit);
    const before = quote.length - quote.trimStart().length;
    const after = quote.length - quote.trimEnd().length;
    if (before === quote.length) return null;
    return { start: first.point + before, end: last.point - after, quote: quote.trim() };
  }

  // UTF-16 offsets of the part of a piece that a range covers; equal where it covers none.
  static overlap(piece, range) {
    const whole = document.createRange();
    whole.selectNodeContents(piece.node);
    const isBefore = range.compareBoundaryPoints(Range.START_TO_END, whole) <= 0 ||
      range.compareBoundaryPoints(Range.END_TO_START, whole) >= 0;
    const shown = piece.node.firstChild;
    if (isBefore || !shown) return [0, 0];
    const from = range.startContainer === shown ? range.startOffset : 0;
    const to = range.endContainer === shown ? range.endOffset : shown.length;
    if (piece.isHidden) return from < to ? [0, piece.own.length] : [0, 0];
    return [from, to];
  }

  static place(piece, offset) {
    return { point: piece.at + Array.from(piece.own.slice(0, offset)).length, unit: piece.unit + offset };
  }

  stretch(start, end) {
    return { start, end, quote: this.points.slice(start, end).join("") };
  }

  sentence(number) {
    return this.element.querySelector(`[data-sentence="${Number(number)}"]`);
  }

  // Find sentences `3` or `2-4`, or the given words in them; a returned string is an error message.
  named(numbers, words) {
    const match = /^\s*(\d+)\s*(?:[-–]\s*(\d+)\s*)?$/.exec(numbers);
    if (!match) return "Enter the number of a sentence, such as 3, or a range, such as 2-4.";
    const [first, last] = [this.sentence(match[1]), this.sentence(match[2] ?? match[1])];
    if (!first || !last) return "There is no sentence with that number.";
    const [start, end] = [Number(first.dataset.start), Number(last.dataset.end)];
    if (start >= end) return "Enter the earlier sentence first.";
    if (!words.trim()) return this.stretch(start, end);
    const text = this.stretch(start, end).quote;
    const at = Answer.find(text, words.trim());
    if (at < 0) return "These words are not in that sentence.";
    const from = start + Array.from(text.slice(0, at)).length;
    return this.stretch(from, from + Array.from(words.trim()).length);
  }

  static find(text, words) {
    const exact = text.indexOf(words);
    if (exact >= 0 || text.toLowerCase().length !== text.length) return exact;
    return text.toLowerCase().indexOf(words.toLowerCase());
  }

  // The range of the document that shows a part of the answer.
  range(start, end) {
    const range = document.createRange();
    for (const piece of this.pieces) {
      const points = Array.from(piece.own);
      const [from, to] = [start - piece.at, end - piece.at];
      if (from >= 0 && from < points.length) Answer.bound(range, "Start", piece, points, from);
      if (to > 0 && to <= points.length) Answer.bound(range, "End", piece, points, to);
    }
    return range;
  }

  static bound(range, which, piece, points, offset) {
    const shown = piece.node.firstChild;
    if (piece.isHidden || !shown) range[`set${which}${offset ? "After" : "Before"}`](piece.node);
    else range[`set${which}`](shown, points.slice(0, offset).join("").length);
  }
}
