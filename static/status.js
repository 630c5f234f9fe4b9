// Say how the service is doing, and say it again when that changes.

import { follow, sentence } from "./service.js";
import { text } from "./texts.js";

const now = document.getElementById("now");

follow((seen) => {
  const words = seen ? sentence(seen) : text("service.unknown");
  // A screen reader speaks each change of the text; unchanged words would be spoken every five seconds.
  if (now.textContent !== words) now.textContent = words;
});
