"use strict";
const form = document.querySelector("form");
const count = document.querySelector("[role=status]");
const findings = [...document.querySelectorAll(".finding")];

function chosen(name) {
  return new Set([...form.querySelectorAll(`[name=${name}]:checked`)].map((box) => box.value));
}

function filter() {
  const risks = chosen("risk");
  const variants = chosen("variant");
  const wanted = form.elements.package.value.trim().toLowerCase();
  let shown = 0;
  for (const finding of findings) {
    const packages = finding.dataset.packages.split(" ");
    const visible = risks.has(finding.dataset.risk) &&
      finding.dataset.variants.split(" ").some((variant) => variants.has(variant)) &&
      packages.some((name) => name.includes(wanted));
    finding.hidden = !visible;
    shown += visible ? 1 : 0;
  }
  for (const part of document.querySelectorAll(".group, .risk")) {
    part.hidden = !part.querySelector(".finding:not([hidden])");
  }
  count.textContent = `${shown} of ${findings.length} shown`;
}

form.addEventListener("input", filter);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(filter));
form.hidden = false;
filter();
