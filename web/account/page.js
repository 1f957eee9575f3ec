// SPDX-License-Identifier: LicenseRef-Gremio
// The pages of links that go out by mail. The code stands behind the link's "#", where no server sees it; opening the page
// changes nothing, only the button sends. Texts are Spanish in the page, with English beside them (data-en).
"use strict";

const texts = {
  es: {
    sending: "Enviando…",
    code_missing: "Escriba o pegue el código de su mensaje",
    password_missing: "Escriba la contraseña",
    link_expired: ["Este enlace ya no sirve", "Venció, ya se usó, se retiró o hay uno más nuevo. Pida otro; si tiene un mensaje más nuevo, abra el enlace de ese."],
    maybe_done: ["Quizá ya quedó hecho", "No llegó respuesta a un intento anterior, y el enlace ya se usó. Pruebe a entrar; si no puede, pida otro enlace."],
    wrong_password: "Este correo ya tiene cuenta en Gremio, y esta no es su contraseña",
    wait: (seconds) => `Vuelva a intentarlo en ${span(seconds)}.`,
    offline: ["No se pudo enviar", "Revise su conexión y vuelva a intentarlo."],
    failed: "Algo salió mal; vuelva a intentarlo",
    show: ["Mostrar", "Mostrar la contraseña"],
    hide: ["Ocultar", "Ocultar la contraseña"],
    done: {
      accept: (r) => ["Listo: ya es parte del equipo", `Entre con el correo ${r.email} y su contraseña a la práctica ${r.tenant.name} (${r.tenant.slug}).`],
      reset: () => ["Listo: su contraseña quedó guardada", "Desde ahora entre con ella. Las sesiones que estaban abiertas se cerraron."],
      verify: () => ["Listo: su correo quedó confirmado", "Ya puede cerrar esta página."],
    },
  },
  en: {
    sending: "Sending…",
    code_missing: "Enter or paste the code of your message",
    password_missing: "Enter the password",
    link_expired: ["This link does not work any more", "It expired, was used, was withdrawn or was replaced by a newer one. Ask for another; if you have a newer message, open that one’s link."],
    maybe_done: ["It may be done already", "An earlier try got no answer, and the link was used. Try to log in; if you cannot, ask for another link."],
    wrong_password: "This address has a Gremio account already, and this is not its password",
    wait: (seconds) => `Try again in ${span(seconds)}.`,
    offline: ["It could not be sent", "Check your connection and try again."],
    failed: "Something went wrong; please try again",
    show: ["Show", "Show the password"],
    hide: ["Hide", "Hide the password"],
    done: {
      accept: (r) => ["Done: you are part of the team", `Log in with the address ${r.email} and your password to the practice ${r.tenant.name} (${r.tenant.slug}).`],
      reset: () => ["Done: your password is saved", "Log in with it from now on. Sessions that were open have ended."],
      verify: () => ["Done: your address is confirmed", "You may close this page."],
    },
  },
};

const form = document.querySelector("form");
const button = form.querySelector("[type=submit]");
const result = document.getElementById("result");
const inputs = [...form.querySelectorAll("input")];
// The first of the browser's languages that there is; Spanish when there is none.
const lang = navigator.languages.map((l) => l.slice(0, 2).toLowerCase()).find((l) => l in texts) ?? "es";
const t = texts[lang];
// A try that got no answer: it may have done its work.
let unsure = false;

function span(seconds) {
  const [n, unit] = seconds < 120 ? [seconds, "second"] : [Math.ceil(seconds / 60), "minute"];
  return new Intl.NumberFormat(lang, { style: "unit", unit, unitDisplay: "long" }).format(n);
}

function translate() {
  document.documentElement.lang = lang;
  if (lang === "en") {
    for (const e of document.querySelectorAll("[data-en]")) {
      e.textContent = e.dataset.en;
    }
  }
}

// From the link into the field, and out of the address bar and the history.
function takeCode() {
  if (location.hash.length > 1) {
    form.reset();
    tell([]);
    unsure = false;
    form.token.value = location.hash.slice(1);
    form.hidden = false;
    history.replaceState(null, "", location.pathname + location.search);
  }
}

// Says lines below the form; none: takes them away.
function tell(lines, bad = false) {
  result.replaceChildren(
    ...lines.map((line) => {
      const p = document.createElement("p");
      p.textContent = line;
      return p;
    }),
  );
  result.className = bad ? "result bad" : "result";
  result.scrollIntoView({ block: "nearest" });
}

// text "" takes the mark away.
function mark(input, text) {
  const error = document.getElementById(`${input.id}-error`);
  error.textContent = text;
  error.hidden = !text;
  if (text) {
    input.setAttribute("aria-invalid", "true");
  } else {
    input.removeAttribute("aria-invalid");
  }
}

// faults: [[input, text]]; the first one gets the focus, by which its text is read out.
function blame(faults) {
  for (const [input, text] of faults) {
    mark(input, text);
  }
  faults[0][0].focus();
}

function missing() {
  return inputs.filter((i) => !i.value.trim()).map((i) => [i, i === form.token ? t.code_missing : t.password_missing]);
}

// Whoever pastes the whole link means its code.
function code() {
  return form.token.value.trim().replace(/^.*#/s, "");
}

function faultsOf(problem) {
  const faults = (problem.errors ?? [])
    .map((e) => [inputs.find((i) => e.pointer === `/${i.name}`), e.detail])
    .filter(([input]) => input);
  if (problem.code === "invalid_credentials") {
    form.password.autocomplete = "current-password";
    faults.push([form.password, t.wrong_password]);
  }
  return faults;
}

function refuse(problem, retryAfter) {
  const faults = faultsOf(problem);
  if (problem.code === "link_expired") {
    tell(unsure ? t.maybe_done : t.link_expired, true);
  } else if (faults.length > 0) {
    blame(faults);
  } else {
    const wait = Number(retryAfter) > 0 ? [t.wait(Number(retryAfter))] : [];
    tell([problem.detail ?? problem.title ?? t.failed, ...wait], true);
  }
}

function succeed(answer) {
  form.reset();
  form.hidden = true;
  tell(t.done[form.dataset.done](answer));
  result.focus();
}

async function send() {
  const body = Object.fromEntries(inputs.map((i) => [i.name, i.value]));
  const answer = await fetch(form.dataset.api, {
    method: "POST",
    credentials: "omit",
    cache: "no-store",
    headers: { "Content-Type": "application/json", "Accept-Language": lang },
    body: JSON.stringify({ ...body, token: code() }),
  });
  const json = await answer.json().catch(() => ({}));
  if (answer.ok) {
    succeed(json);
  } else {
    unsure ||= answer.status >= 500;
    refuse(json, answer.headers.get("Retry-After"));
  }
}

async function onSubmit(event) {
  event.preventDefault();
  if (button.getAttribute("aria-disabled")) {
    return;
  }
  inputs.forEach((i) => mark(i, ""));
  const faults = missing();
  if (faults.length > 0) {
    blame(faults);
    return;
  }
  const label = button.textContent;
  button.setAttribute("aria-disabled", "true");
  button.textContent = t.sending;
  tell([]);
  await send().catch(() => {
    unsure = true;
    tell(t.offline, true);
  });
  button.removeAttribute("aria-disabled");
  button.textContent = label;
}

function onShow(event) {
  const input = document.getElementById(event.currentTarget.getAttribute("aria-controls"));
  const shown = input.type === "password";
  input.type = shown ? "text" : "password";
  nameShow(event.currentTarget, shown);
}

function nameShow(show, shown) {
  const [text, label] = shown ? t.hide : t.show;
  show.textContent = text;
  show.setAttribute("aria-label", label);
}

translate();
form.querySelectorAll(".show").forEach((show) => {
  nameShow(show, false);
  show.addEventListener("click", onShow);
});
form.addEventListener("submit", onSubmit);
window.addEventListener("hashchange", takeCode);
form.hidden = false;
takeCode();
