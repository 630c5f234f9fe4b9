// Let a person say which token is theirs, where the service asks for one.

import { token } from "./api.js";

export function askForToken() {
  const [entry, kept] = [document.getElementById("token"), document.getElementById("signed-in")];
  const show = () => { entry.hidden = Boolean(token.value); kept.hidden = !token.value; };
  entry.addEventListener("submit", (event) => {
    event.preventDefault();
    token.value = entry.querySelector("input").value.trim();
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
