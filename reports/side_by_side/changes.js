"use strict";
// The words of an answer, with those marked that another answer lacks or has instead. Makes nodes of text only.
const withChanges = (() => {
  const MOST_WORDS = 1000;

  const piece = (name, open, words) => {
    const made = document.createElement(name);
    const signs = [open, " ]"].map((text) => {
      const sign = document.createElement("span");
      sign.className = "sign";
      sign.textContent = text;
      return sign;
    });
    made.append(signs[0], words.trim(), signs[1]);
    return made;
  };

  // Lengths of the longest common subsequence of what follows each pair of words.
  const common = (left, right) => {
    const width = right.length + 1;
    const lengths = new Uint16Array((left.length + 1) * width);
    for (let i = left.length - 1; i >= 0; i -= 1)
      for (let j = right.length - 1; j >= 0; j -= 1)
        lengths[i * width + j] =
          left[i].trim() === right[j].trim()
            ? lengths[(i + 1) * width + j + 1] + 1
            : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
    return (i, j) => lengths[i * width + j];
  };

  return (before, after) => {
    const [left, right] = [before, after].map((text) => text.match(/\s*\S+/g) ?? []);
    if (left.length > MOST_WORDS || right.length > MOST_WORDS) return [after];
    const length = common(left, right);
    const parts = [];
    const put = (kind, word) => {
      if (parts.at(-1)?.[0] === kind) parts.at(-1)[1] += word;
      else parts.push([kind, word]);
    };
    let [i, j] = [0, 0];
    while (i < left.length || j < right.length) {
      if (i < left.length && j < right.length && left[i].trim() === right[j].trim()) {
        put("same", right[j]);
        [i, j] = [i + 1, j + 1];
      } else if (j === right.length || (i < left.length && length(i + 1, j) >= length(i, j + 1))) {
        put("del", left[i]);
        i += 1;
      } else {
        put("ins", right[j]);
        j += 1;
      }
    }
    return parts.flatMap(([kind, words], place) => {
      if (kind === "same") return [words];
      const space = words.match(/^\s*/)[0] || (place ? " " : "");
      return [space, piece(kind, kind === "ins" ? "[+ " : "[− ", words)];
    });
  };
})();
