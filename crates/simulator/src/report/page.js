// Says what is under the pointer: of all places of a drawing that something is known of, the nearest.
(() => {
  'use strict';
  const tip = document.getElementById('tip');
  for (const svg of document.querySelectorAll('svg[data-tips]')) {
    const tips = JSON.parse(svg.dataset.tips);
    if (!tips.length) continue;
    const cursor = svg.querySelector('.cursor');
    const hide = () => { tip.hidden = true; cursor.setAttribute('visibility', 'hidden'); };
    svg.addEventListener('pointerleave', hide);
    svg.addEventListener('pointermove', event => {
      const box = svg.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
      let low = 0, high = tips.length - 1;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (tips[middle][0] < x) low = middle + 1; else high = middle;
      }
      if (low > 0 && x - tips[low - 1][0] < tips[low][0] - x) low--;
      const [place, words] = tips[low];
      cursor.setAttribute('x1', place);
      cursor.setAttribute('x2', place);
      cursor.setAttribute('visibility', 'visible');
      tip.textContent = words;
      tip.hidden = false;
      const left = event.clientX + 16 + tip.offsetWidth > innerWidth ? event.clientX - 14 - tip.offsetWidth : event.clientX + 16;
      tip.style.left = `${Math.max(4, left)}px`;
      tip.style.top = `${Math.max(4, Math.min(event.clientY + 16, innerHeight - tip.offsetHeight - 4))}px`;
    });
  }
})();
