// Show the slides, draw the mathematics, and make every slide fit. A slide that is too high is made
// smaller as a whole, so nothing is ever cut off, whatever fonts this machine has.
const look = document.documentElement.classList;
look.toggle("dark", new URLSearchParams(location.search).has("dark"));

Reveal.initialize({
  width: 1280, height: 720, margin: 0, center: false, hash: true, transition: "none",
  slideNumber: "c/t", plugins: [RevealNotes],
}).then(async () => {
  Reveal.addKeyBinding({keyCode: 68, key: "D", description: "Light or dark"}, switchLook);
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

// The address keeps the choice, for the speaker's window and for the next time.
function switchLook() {
  const address = new URL(location.href);
  if (look.toggle("dark")) address.searchParams.set("dark", "");
  else address.searchParams.delete("dark");
  address.search = address.search.replace("dark=", "dark");
  try {
    history.replaceState(history.state, "", address);
  } catch {} // some browsers keep the address of a file as it is
}

function height(body) {
  return body.getBoundingClientRect().height / Reveal.getScale();
}
