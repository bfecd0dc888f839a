// What the portal's own pages do: fetch the list of cards every few seconds and put it in place of the old one.
'use strict';

function replaceCards(place, html) {
  const box = document.createElement('div');
  box.innerHTML = html;
  place.innerHTML = box.querySelector('template').innerHTML;
  // Scripts put in by innerHTML don't run, so the portal makes each anew.
  place.querySelectorAll('script').forEach((old) => {
    const fresh = document.createElement('script');
    Array.from(old.attributes).forEach((attribute) => fresh.setAttribute(attribute.name, attribute.value));
    fresh.appendChild(document.createTextNode(old.innerHTML));
    old.parentNode.replaceChild(fresh, old);
  });
}

async function pollCards(place) {
  const answer = await fetch(location.pathname, { headers: { Accept: 'text/vnd.turbo-stream.html' } });
  if (answer.status !== 200) return;
  const focused = place.contains(document.activeElement) ? document.activeElement.id : '';
  replaceCards(place, await answer.text());
  if (focused && document.getElementById(focused)) document.getElementById(focused).focus();
  const list = document.getElementById('bc_sessions_content');
  if (list.dataset.shouldPoll === 'true') setTimeout(pollCards, Number(document.body.dataset.pollMs), place);
}

document.addEventListener('DOMContentLoaded', () => {
  const place = document.getElementById('batch_connect_sessions');
  if (place) pollCards(place);
  document.addEventListener('submit', (event) => {
    const button = event.submitter;
    if (button && button.dataset.confirm && !window.confirm(button.dataset.confirm)) event.preventDefault();
  });
});
