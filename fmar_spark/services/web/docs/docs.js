"use strict";

let token = "";

function authorize(event) {
  event.preventDefault();
  token = event.target.elements.token.value.trim();
  event.target.querySelector("output").value = token ? "Requests of this page carry the token." : "No token.";
}

function describe(form) {
  let path = form.dataset.path;
  const query = new URLSearchParams();
  const headers = new Headers();
  if (token) headers.set("Authorization", `Bearer ${token}`);
  for (const input of form.querySelectorAll("input[data-in]")) {
    if (input.value === "") continue;
    if (input.dataset.in === "path") path = path.replace(`{${input.name}}`, encodeURIComponent(input.value));
    if (input.dataset.in === "query") query.append(input.name, input.value);
    if (input.dataset.in === "header") headers.set(input.name, input.value);
  }
  const body = form.elements.body;
  if (body) headers.set("Content-Type", body.dataset.type);
  const asked = query.toString();
  return [asked ? `${path}?${asked}` : path, { method: form.dataset.method.toUpperCase(), headers, body: body ? body.value : undefined }];
}

async function send(event) {
  event.preventDefault();
  const shown = event.target.querySelector(".answer");
  shown.hidden = false;
  shown.textContent = "...";
  try {
    const answer = await fetch(...describe(event.target));
    const text = await answer.text();
    const isJson = (answer.headers.get("Content-Type") || "").includes("json");
    const head = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    shown.textContent = `${answer.status} ${answer.statusText}\n${head}\n\n${isJson && text ? JSON.stringify(JSON.parse(text), null, 2) : text}`;
  } catch (error) {
    shown.textContent = `The request could not be sent: ${error.message}`;
  }
}

document.getElementById("authorize").addEventListener("submit", authorize);
for (const form of document.querySelectorAll("form[data-path]")) form.addEventListener("submit", send);
function reveal() {
  const named = document.getElementById(location.hash.slice(1));
  if (named instanceof HTMLDetailsElement) named.open = true;
}
addEventListener("hashchange", reveal);
reveal();
