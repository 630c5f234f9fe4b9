// Let a person say which token is theirs, where the service asks for one.

import { Lost, ask, token } from "./api.js";
import { text, why } from "./texts.js";

// There is no such image: whoever is let in is told so.
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
    location.reload(); // with the token goes what it has shown
  });
  document.addEventListener("unauthorized", () => { entry.hidden = false; });
  show();
}

// Tried before it is believed: what is wrong with it, or null.
async function faultOf(given) {
  if (!/^[!-~]+$/.test(given)) return text("say.wrong-token"); // no header could carry it
  try {
    await ask(NOWHERE, { headers: { Authorization: `Bearer ${given}` } });
    return null;
  } catch (problem) {
    if (problem instanceof Lost) return text("say.unreachable");
    if (problem.status === 401) return text("say.wrong-token");
    return problem.status === 404 ? null : why(problem.code);
  }
}
