// Ask the user for a token, where the service requires one.

import { Lost, ask, token } from "../shared/api.js";
import { text, why } from "../shared/texts.js";

// The id of no image: with a valid token the response is 404, otherwise 401.
const NOWHERE = "/images/00000000-0000-4000-8000-000000000000";

export function askForToken() {
  const [entry, kept] = [document.getElementById("token"), document.getElementById("signed-in")];
  const field = entry.querySelector("input");
  const wrong = entry.querySelector(".wrong");
  const show = () => { entry.hidden = Boolean(token.value); kept.hidden = !token.value; };
  entry.addEventListener("submit", async (event) => {
    event.preventDefault();
    const fault = await faultOf(field.value.trim());
    wrong.hidden = !fault;
    wrong.textContent = fault ?? "";
    field.setAttribute("aria-invalid", String(Boolean(fault)));
    if (fault) return field.focus();
    token.value = field.value.trim();
    entry.reset();
    show();
  });
  kept.querySelector("button").addEventListener("click", () => {
    token.value = null;
    location.reload(); // Removes everything that was shown with the token.
  });
  document.addEventListener("unauthorized", () => { entry.hidden = false; });
  show();
}

// Tests the token before it is stored; resolves with its fault, or null.
async function faultOf(given) {
  if (!/^[!-~]+$/.test(given)) return text("say.wrong-token"); // No header could carry it.
  try {
    await ask(NOWHERE, { headers: { Authorization: `Bearer ${given}` } });
    return null;
  } catch (problem) {
    if (problem instanceof Lost) return text("say.unreachable");
    if (problem.status === 401) return text("say.wrong-token");
    return problem.status === 404 ? null : why(problem.code);
  }
}
