/* Small things that HTML and htmx do not do: theme, countdowns, copying, toasts, news from other tabs. Every page works without it. */
"use strict";

(() => {
  const root = document.documentElement;
  const saved = localStorage.getItem("theme");
  if (saved) root.dataset.bsTheme = saved;

  const isDark = () => root.dataset.bsTheme ? root.dataset.bsTheme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;

  function nameTheme() {
    if (!root.dataset.bsTheme) root.dataset.bsTheme = isDark() ? "dark" : "light";
    for (const label of document.querySelectorAll("[data-theme-switch] span")) label.textContent = isDark() ? "Light theme" : "Dark theme";
  }

  function tick() {
    for (const node of document.querySelectorAll("[data-until]")) {
      const left = Math.max(0, Math.round((Date.parse(node.dataset.until) - Date.now()) / 1000));
      node.textContent = left ? spell(left) : "now";
    }
  }

  function spell(seconds) {
    const two = (n) => String(n).padStart(2, "0");
    const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
    return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
  }

  async function copy(button) {
    const source = document.getElementById(button.dataset.copy);
    await navigator.clipboard.writeText(source.textContent.trim());
    const label = button.querySelector("span");
    button.dataset.words ??= label.textContent;
    label.textContent = "Copied";
    setTimeout(() => { label.textContent = button.dataset.words; }, 2000);
  }

  function settle() {
    tick();
    for (const button of document.querySelectorAll("[data-reveal]")) button.hidden = false;
    for (const dialog of document.querySelectorAll("[data-open]:not(:popover-open)")) dialog.showPopover();
    for (const news of document.querySelectorAll("[data-csrf]")) renew(news.dataset.csrf);
    setTimeout(() => { for (const toast of document.querySelectorAll("#toasts .said")) toast.remove(); }, 8000);
    const wanted = document.querySelector("[data-focus]");
    wanted?.focus();
    wanted?.removeAttribute("data-focus"); // once: what others load meanwhile must not take the focus back
  }

  function reveal(button) {
    const field = document.getElementById(button.dataset.reveal), isShown = field.type === "text";
    field.type = isShown ? "password" : "text";
    button.ariaPressed = String(!isShown);
    button.firstChild.textContent = isShown ? "Show" : "Hide";
  }

  // Who was logged out and logs in again in a dialog: what the page sends from now on names the new session.
  function renew(token) {
    for (const field of document.getElementsByName("csrf_token")) field.value = token;
    document.body.setAttribute("hx-headers:inherited", JSON.stringify({ "X-CSRFToken": token }));
  }

  const isTyped = (field) => field.type === "checkbox" || field.type === "radio" ? field.checked !== field.defaultChecked : field.value !== field.defaultValue;
  const isUnsaved = () => [...document.querySelectorAll("form :is(textarea, input:not([type=search], [type=hidden]))")].some(isTyped);

  document.addEventListener("click", (event) => {
    const target = event.target.closest?.("[data-theme-switch], [data-copy], [data-dismiss], [data-reveal]");
    if (!target) return;
    if ("themeSwitch" in target.dataset) {
      root.dataset.bsTheme = isDark() ? "light" : "dark";
      localStorage.setItem("theme", root.dataset.bsTheme);
      nameTheme();
    }
    if ("copy" in target.dataset) copy(target);
    if ("reveal" in target.dataset) reveal(target);
    if ("dismiss" in target.dataset) target.closest(".said").remove();
  });

  // New rows of the log wait while somebody reads in it: scrolled down, or with something focused, marked or opened.
  function isRead(part) {
    const focused = document.activeElement, marked = getSelection();
    return scrollY > 40 || part.querySelector(":popover-open") || (part.contains(focused) && focused.type !== "search")
      || (!marked.isCollapsed && part.contains(marked.anchorNode));
  }

  document.addEventListener("htmx:config:request", (event) => {
    const { sourceElement: part, request } = event.detail.ctx;
    if (part.matches("[hx-trigger^=every]")) request.headers["X-Poll"] = "yes";
    if (isUnsaved()) request.headers["X-Unsaved"] = "yes";
    if (part.dataset.top && isRead(part)) request.body.set("upto", part.dataset.top);
  });

  // Until who was logged out is in again, the page asks for nothing else: the answer would reset the dialog.
  document.addEventListener("htmx:before:request", (event) => {
    const dialog = document.querySelector("#again-form:popover-open");
    if (dialog && !dialog.contains(event.detail.ctx.sourceElement)) event.preventDefault();
  });

  // A form that htmx does not send: what was pressed says so at once, and is not sent twice.
  document.addEventListener("submit", (event) => {
    if (!event.submitter || event.defaultPrevented || "download" in event.target.dataset) return; // after a file the page is still there
    if (event.submitter.ariaBusy) event.preventDefault();
    event.submitter.ariaBusy = "true";
  });
  addEventListener("pageshow", (event) => {
    for (const button of document.querySelectorAll("[aria-busy]")) button.ariaBusy = null; // the page came back as it was left
    if (event.persisted) ask(); // perhaps after a log-out
  });

  // A page that opens may show what was just saved: what is live in other tabs asks at once instead of when its time comes.
  // So the page that follows a log-out makes the others leave, too.
  function ask() {
    for (const part of document.querySelectorAll("[hx-trigger^=every]")) part.dispatchEvent(new Event("every"));
  }
  const tabs = new BroadcastChannel("tabs");
  tabs.onmessage = ask;

  document.addEventListener("DOMContentLoaded", () => {
    nameTheme();
    settle();
    document.querySelector("[data-go-on]")?.requestSubmit();
    tabs.postMessage("opened");
    setInterval(tick, 1000);
  });
  document.addEventListener("htmx:after:swap", settle);
})();
