// Show the slides, draw the mathematics, and make every slide fit. A slide that is too high is made
// smaller as a whole, so nothing is ever cut off, whatever fonts this machine has.
Reveal.initialize({
  width: 1280, height: 720, margin: 0, center: false, hash: true, transition: "none",
  slideNumber: "c/t", plugins: [RevealNotes],
}).then(async () => {
  document.querySelectorAll("section img").forEach((image) => image.decoding = "sync");
  await MathJax.startup.promise;
  await MathJax.typesetPromise([document.querySelector(".slides")]);
  await Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
  const room = Reveal.getConfig().height - 54; // the number of the slide stands below
  const slides = document.querySelector(".slides");
  slides.classList.add("measuring");
  for (const body of document.querySelectorAll(".fit")) {
    let zoom = 1;
    while (zoom > 0.3 && (height(body) > room || body.scrollWidth > body.clientWidth + 1)) {
      zoom -= 0.02;
      body.style.zoom = zoom;
    }
    body.dataset.zoom = zoom.toFixed(2);
  }
  slides.classList.remove("measuring");
  document.body.dataset.ready = "yes";
});

function height(body) {
  return body.getBoundingClientRect().height / Reveal.getScale();
}
