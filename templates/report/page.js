'use strict';
// The page says all without this: it adds a filter, keys, larger screenshots and copying.
(() => {
  const all = (selector) => Array.from(document.querySelectorAll(selector));
  const tests = all('details.test');
  const filter = document.getElementById('filter');
  const found = document.getElementById('found');
  const form = document.querySelector('form.tools');
  if (tests.length > 1) form.hidden = false;
  form.addEventListener('submit', (event) => event.preventDefault());
  const words = new Map();
  const says = (test) => {
    if (!words.has(test)) words.set(test, test.textContent.toLowerCase());
    return words.get(test);
  };
  filter.addEventListener('input', () => {
    const wanted = filter.value.trim().toLowerCase();
    let shown = 0;
    for (const test of tests) {
      test.hidden = !says(test).includes(wanted);
      if (!test.hidden) shown += 1;
    }
    const fold = document.querySelector('details.fold');
    if (fold && filter.value) fold.open = true;
    found.textContent = filter.value ? `${shown} of ${tests.length}` : '';
  });
  const open = (test) => {
    for (let above = test; above; above = above.parentElement) if (above.tagName === 'DETAILS') above.open = true;
  };
  const follow = () => {
    const target = /^#[tb]\d+$/.test(location.hash) && document.getElementById(location.hash.slice(1));
    if (target) { open(target); target.scrollIntoView(); }
  };
  addEventListener('hashchange', follow);
  addEventListener('beforeprint', () => tests.filter((test) => !test.matches('.fold .test')).forEach(open));
  const move = (by) => {
    const shown = tests.filter((test) => !test.hidden && !test.matches('details.fold:not([open]) .test'));
    const now = shown.findIndex((test) => test.contains(document.activeElement));
    const next = shown[now < 0 ? (by > 0 ? 0 : shown.length - 1) : now + by];
    if (!next) return;
    next.open = true;
    next.querySelector('summary').focus();
    next.scrollIntoView({ block: 'start' });
  };
  addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === filter) {
      if (event.key === 'Escape') { filter.value = ''; filter.dispatchEvent(new Event('input')); filter.blur(); }
    } else if (event.key === '/') {
      event.preventDefault();
      filter.focus();
    } else if (event.key === 'j') move(1);
    else if (event.key === 'k') move(-1);
    else if (event.key === 'Enter' && event.target.matches('.shot img')) event.target.classList.toggle('large');
  });
  for (const image of all('.shot img')) image.addEventListener('click', () => image.classList.toggle('large'));
  for (const box of all('.copy')) {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Copy';
    button.addEventListener('click', async () => {
      const range = document.createRange();
      range.selectNodeContents(box.querySelector('code'));
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      try {
        await navigator.clipboard.writeText(range.toString());
        button.textContent = 'Copied';
      } catch {
        button.textContent = 'Selected';
      }
    });
    box.append(button);
  }
  follow();
})();
