// Tells people whose browser is too old for these pages what they need. It is written for the oldest browsers, and
// its name has a number, for browsers keep it for ever: another content needs another number.
(function () {
  var hasFunctions = "replaceAll" in String.prototype && typeof BigInt64Array === "function";
  var isNewEnough = "noModule" in document.createElement("script") && hasFunctions;
  if (isNewEnough) return;
  document.getElementById("app").style.display = "none";
  document.getElementById("too-old").removeAttribute("hidden");
})();
