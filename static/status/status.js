// Show the health of the service, and update it on changes.

import { follow, sentence } from "../shared/service.js";
import { text } from "../shared/texts.js";

const now = document.getElementById("now");

follow((seen) => {
  const words = seen ? sentence(seen) : text("service.unknown");
  // Screen readers announce every change of the text: without this check, one every 5 s.
  if (now.textContent !== words) now.textContent = words;
});
